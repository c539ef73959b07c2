"""The room as one page of HTML: no network, no script, and no colour that stands for something alone."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from accepted.grade.exercise import Exercise
from accepted.grade.verdict import Status
from accepted.instructor.collected import Checked, Learner, printable
from accepted.instructor.room import Room, Square, Stuck

# Blue and orange, told apart by all; how far someone got is lightness, and stands there as a number.
STYLE = """
:root{color-scheme:light}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem;color:#1b1f24;background:#fff;width:max-content;max-width:96vw}
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .3rem}p{margin:.2rem 0 .8rem;max-width:46rem}
.quiet{color:#57606a}table{border-collapse:separate;border-spacing:2px}
th{font-weight:600;text-align:left;vertical-align:bottom}td{text-align:center}
.scroll{overflow-x:auto}
thead th.of{text-align:center;font-size:.8rem;line-height:1.2;padding:0 .2rem .3rem;min-width:5.2rem}
thead th.of b{display:block;font-size:1.05rem}
tbody th,tfoot th{white-space:nowrap;padding-right:.8rem;font-weight:400;max-width:18rem;overflow:hidden;
text-overflow:ellipsis}tfoot th,tfoot td{color:#57606a;padding-top:.4rem}
td.s{height:1.9rem;border-radius:3px;font-variant-numeric:tabular-nums;border:1px solid transparent}
td.pass{background:#0072b2;color:#fff}td.none{background:#f3f4f6;color:#57606a}
td.unknown{background:#fff;border:1px dashed #57606a}
td.f0{background:#e08214}td.f1{background:#f2a541}td.f2{background:#f8c880}td.f3{background:#fde8c5}
td.points{padding-left:.6rem;font-variant-numeric:tabular-nums}
th.who{writing-mode:vertical-rl;transform:rotate(180deg);font-size:.78rem;font-weight:400;max-height:9rem;
overflow:hidden;text-overflow:ellipsis;white-space:nowrap;text-align:left;padding:.2rem 0}
tbody th{vertical-align:middle}table.checks td.pass{background:#cfe3f1;color:#0b4f7d}
table.checks td.s{width:1.25rem;min-width:1.25rem;height:1.5rem;font-size:.85rem}
td.count{white-space:nowrap;text-align:left;padding-right:.5rem;font-variant-numeric:tabular-nums}
td.count i{display:inline-block;height:.8rem;background:#e08214;margin-right:.4rem;border-radius:2px}
table.checks tbody th{line-height:1.2;padding:.15rem .8rem .15rem 0;white-space:normal;width:24rem;max-width:24rem}
table.checks tbody th b{font-weight:600}table.checks tbody th small{display:block;color:#57606a}
.key{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;padding:0;margin:.6rem 0;font-size:.85rem}
.key span{display:inline-block;min-width:2.2rem;text-align:center;border-radius:3px;margin-right:.4rem;
border:1px solid transparent}.key .pass{background:#0072b2;color:#fff}.key .f0{background:#e08214}
.key .f3{background:#fde8c5}.key .unknown{border:1px dashed #57606a}.key .none{background:#f3f4f6;color:#57606a}
@page{size:A4 landscape;margin:12mm}
@media print{html{font-size:10px}body{margin:0;max-width:none;width:auto;font-size:10px;print-color-adjust:exact;
-webkit-print-color-adjust:exact}.scroll{overflow:visible}tr{break-inside:avoid}h2{break-after:avoid}
thead{display:table-header-group}td.s{height:1.25rem}tbody th{line-height:1.2}
table.checks td.s{min-width:1rem;width:1rem}h2.next{break-before:page}
thead th.of{min-width:4.4rem}table.checks tbody th{width:22rem}}
"""
# Nothing may be loaded and nothing may run, whatever a result file says.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
SIGNS: dict[Status, tuple[str, str]] = {"pass": ("pass", "✓"), "fail": ("f0", "✗"), "skipped": ("none", "–"),
                                        "unknown": ("unknown", "?"), "grader-error": ("unknown", "?")}  # fmt: skip


def render(room: Room) -> str:
    """The whole page."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width"><title>Where the room sticks</title>',
        f"<style>{STYLE}</style></head><body><h1>Where the room sticks</h1>",
        f'<p class="quiet">{_summary(room)}</p>',
        *_exercises(room),
        *_checks(room),
        *_left_out(room),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _summary(room: Room) -> str:
    times = [one.started for learner in room.learners for one in learner.results.values()]
    number = len(room.learners)
    people = f"{number} learner{'' if number == 1 else 's'}"
    if not times:
        return f"{people}, nothing graded yet"
    newest = datetime.fromtimestamp(max(times), UTC)
    return f"{people}, {len(times)} results, the newest of {newest:%Y-%m-%d %H:%M} UTC. Point at a square to read more."


def _exercises(room: Room) -> Iterable[str]:
    yield "<h2>Learners and exercises</h2>"
    yield (
        '<ul class="key"><li><span class="pass">✓</span>passes</li>'
        '<li><span class="f0">2/9</span><span class="f3">8/9</span>fails: checks passed, of all</li>'
        '<li><span class="unknown">?</span>could not be judged</li><li><span class="none">·</span>not graded</li></ul>'
    )
    heads = "".join(_head(one) for one in room.exercises)
    yield f'<div class="scroll"><table><thead><tr><th scope="col">learner</th>{heads}<th class="of">points</th></tr>'
    yield "</thead><tbody>"
    for learner in room.learners:
        cells = "".join(_cell(room.square(learner, one), learner, one) for one in room.exercises)
        yield (
            f'<tr><th scope="row" title="{escape(learner.name)}">{escape(learner.name)}</th>{cells}'
            f'<td class="points">{room.points(learner)}</td></tr>'
        )
    passing = (room.passing(one) for one in room.exercises)
    feet = "".join(f"<td>{ok}/{of}</td>" if of else "<td></td>" for ok, of in passing)
    yield f'</tbody><tfoot><tr><th scope="row">pass, of those graded</th>{feet}<td></td></tr></tfoot></table></div>'


def _head(one: Exercise) -> str:
    title, worth = escape(one.toml.title), f"{one.toml.points} points, {one.toml.size}"
    return f'<th class="of" scope="col" title="{escape(worth)}"><b>{one.toml.number}</b>{title}</th>'


def _cell(square: Square, learner: Learner, exercise: Exercise) -> str:
    who = f"{learner.name}, {exercise.toml.title}"
    if square.state == "none":
        return f'<td class="s none" title="{escape(who)}: not graded">·</td>'
    found = learner.results[exercise.toml.number]
    who += f" on {found.backend}"
    if square.state == "pass":
        return f'<td class="s pass" title="{escape(who)}: passes">✓</td>'
    if square.state == "unknown" or square.first is None:
        return f'<td class="s unknown" title="{escape(who)}: could not be judged; have it graded again">?</td>'
    shade = min(3, 4 * square.passed // square.checks)
    said = f"{who}: first {square.first.name}: {_said(square.first)}"
    return f'<td class="s f{shade}" title="{escape(said)}">{square.passed}/{square.checks}</td>'


def _checks(room: Room) -> Iterable[str]:
    yield '<h2 class="next">Checks, most stuck first</h2>'
    stuck = room.stuck()
    if not stuck:
        yield '<p class="quiet">No check fails anybody.</p>'
        return
    yield '<p class="quiet">✗ fails · ✓ passes · – not judged, because one before it fails · ? could not be judged</p>'
    heads = "".join(f'<th class="who" scope="col">{escape(one.name)}</th>' for one in room.learners)
    yield f'<div class="scroll"><table class="checks"><thead><tr><th scope="col">check</th><th>stand here</th>{heads}'
    yield "</tr></thead><tbody>"
    most = len(stuck[0].those)
    for one in stuck:
        cells = "".join(_check_cell(one, learner) for learner in room.learners)
        number = len(one.those)
        bar = f'<i style="width:{5 * number / most:.2f}rem"></i>'
        yield (
            f'<tr><th scope="row"><b>{escape(one.label)}</b><small>{escape(one.says)}</small></th>'
            f'<td class="count" title="{escape(", ".join(one.those))}">{bar}{number} of {one.judged}</td>{cells}</tr>'
        )
    yield "</tbody></table></div>"


def _check_cell(one: Stuck, learner: Learner) -> str:
    graded = learner.results.get(one.exercise)
    check = graded and next((each for each in graded.checks if each.name == one.name), None)
    if not check:
        return f'<td class="s" title="{escape(learner.name)}: not graded"></td>'
    look, sign = SIGNS[check.status]
    return f'<td class="s {look}" title="{escape(f"{learner.name}: {_said(check)}")}">{sign}</td>'


def _said(check: Checked) -> str:
    return printable(check.difference or check.message or check.status, 300)


def _left_out(room: Room) -> Iterable[str]:
    if room.left_out:
        yield f"<h2>Left out: {len(room.left_out)}</h2><ul>"
        yield from (f"<li><code>{escape(one.file)}</code> {escape(one.why)}</li>" for one in room.left_out)
        yield "</ul>"
