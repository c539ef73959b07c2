"""The kill matrix: which tree came to what it must, on which backend. No times, so that it changes only with reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from accepted.graders.cases import Case
from accepted.graders.expected import Outcome

MARKS = {"as it must": "✓", "otherwise": "✗", "not judged": "?"}
NOT_RUN, NOT_HERE = "·", " "
LEGEND = "✓ as it must; ✗ otherwise; ? could not be judged; `·` not run; empty: not written for that backend"
SUNNY = "sunny day"
BEGIN, END = "<!-- kill matrix -->", "<!-- /kill matrix -->"
HEAD = """# The kill matrix

The graders, graded: trees of which it is known what they must come to. A known-bad has one flaw, and has to fail the
check that names it and no other; on a *sunny day*, `accepted demo --sunny` without a kill or an outage, it has to hold
like any other (a mark for each backend). A variant is right by another road, and has to pass. The last column is of the
code that judged a row (the exercise's checks, and what of the kit they stand on), as it was when the row was last run.

*reference* is `solutions/`, *start* is `exercises/start/`; *prerequisites* has all that the exercise needs done, and
itself not; *solved* is the same with it done. What each check and each flaw is stands in the `exercise.toml` of
[exercises/](../exercises/).

No line of it is by hand. `make graders EX=3 BACKEND=rq ARGS=--write` runs a piece (`ARGS='--sunny --write'`: its sunny
days as well) and keeps what it came to in [kill-matrix/](kill-matrix/), a file for each exercise and backend;
`make graders ARGS=--page` puts the pieces together.
"""


@dataclass(frozen=True)
class Score:
    """Of the cases that were run: gradings, but for `flaws` and `roads`, which count each known-bad and variant once,
    on however many backends it was graded."""

    caught: int
    known_bads: int
    flaws: int
    refused: int
    variants: int
    roads: int
    held: int
    sunny: int
    unrelated: int
    otherwise: int
    not_judged: int
    run: int
    wanted: int

    def __str__(self) -> str:
        if not self.run:
            return f"of {self.wanted} cases none was run yet"
        said = f"{self.flaws} known-bads, caught in {self.caught} of {self.known_bads} gradings"
        said += f" and whole on {self.held} of {self.sunny} sunny days; " if self.sunny else "; "
        said += f"{self.roads} variants, failed in {self.refused or 'none'} of {self.variants}; "
        said += f"{self.unrelated or 'no'} unrelated check{'s' if self.unrelated != 1 else ''} failed"
        others = f"; {self.run - self.otherwise - self.not_judged} of {self.run} cases came to what they must"
        return said + others + (f", {self.wanted - self.run} not run" if self.wanted > self.run else "")


Found = Mapping[str, Outcome]  # by the case's id


def score(cases: Sequence[Case], found: Found) -> Score:
    """Sunny days count as cases, not as gradings of known-bads."""
    run = [case for case in cases if case.id in found]
    bads = [case for case in run if case.kind == "known-bad"]
    others = [case for case in run if case.kind == "variant"]
    days = [found[case.id] for case in run if case.kind == "sunny"]
    failed = {case.id: {n for n, status in found[case.id].statuses.items() if status == "fail"} for case in run}
    return Score(
        caught=sum(case.fails in failed[case.id] for case in bads), known_bads=len(bads), flaws=_trees(bads),
        refused=sum(bool(failed[case.id]) for case in others), variants=len(others), roads=_trees(others),
        held=sum(one.came == "as it must" for one in days), sunny=len(days),
        unrelated=sum(len(failed[case.id] - {case.fails}) for case in bads),
        otherwise=sum(found[case.id].came == "otherwise" for case in run),
        not_judged=sum(found[case.id].came == "not judged" for case in run),
        run=len(run), wanted=len(cases),
    )  # fmt: skip


def _trees(cases: Sequence[Case]) -> int:
    return len({(case.exercise.toml.number, case.name) for case in cases})


def table(cases: Sequence[Case], found: Found) -> list[list[str]]:
    """Of one exercise: a row for each tree; what it is, what it must come to, a mark for each backend, how it did on a
    sunny day on each of them (where any did), and the code that judged it: one digest, or one for each backend that
    was run."""
    backends = list(dict.fromkeys(case.backend for case in cases))
    by_row: dict[tuple[str, str], dict[str, Case]] = {}
    for case in cases:
        if case.kind != "sunny":
            by_row.setdefault((case.shown, case.must), {})[case.backend] = case
    days = [SUNNY] if any(case.sunny().id in found for case in cases if case.kind == "known-bad") else []
    rows = [["tree", "must", *backends, *days, "judged by"]]
    for (shown, must), row in by_row.items():
        marks = [_mark(row.get(backend), found) for backend in backends]
        if days:
            marks.append(" ".join(_mark(case.sunny(), found) for case in row.values() if case.kind == "known-bad"))
        rows.append([shown, must, *marks, _judges([found[case.id] for case in row.values() if case.id in found])])
    return rows


def _judges(outcomes: Sequence[Outcome]) -> str:
    named = [one.judges for one in outcomes if one.judges]
    return named[0] if len(set(named)) == 1 else ", ".join(named)


def _mark(case: Case | None, found: Found) -> str:
    if case is None:
        return NOT_HERE
    return MARKS[found[case.id].came] if case.id in found else NOT_RUN


def wrongs(cases: Sequence[Case], found: Found) -> list[str]:
    """A line for each case that did not come to what it must."""
    odd = [(case, found[case.id]) for case in cases if case.id in found and found[case.id].came != "as it must"]
    return [f"{case.id}: {case.must} – {outcome.came}: {outcome.why}" for case, outcome in odd]


def as_text(cases: Sequence[Case], found: Found) -> list[str]:
    """For a terminal."""
    lines: list[str] = []
    for title, mine in by_exercise(cases):
        rows = table(mine, found)
        wide = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
        lines += ["", title, *("  " + "  ".join(f"{c:<{w}}" for c, w in zip(r, wide, strict=True)) for r in rows)]
    lines += ["", *wrongs(cases, found)]
    return [line.rstrip() for line in lines]


def as_page(cases: Sequence[Case], found: Found) -> str:
    """docs/kill-matrix.md."""
    lines = [HEAD, f"**{score(cases, found)}.**", "", LEGEND]
    for title, mine in by_exercise(cases):
        first, *rest = table(mine, found)
        lines += ["", f"## {title}", "", _row(first), _row(["---"] * 2 + [":-:"] * (len(first) - 3) + ["---"])]
        lines += [_row(row) for row in rest]
    if odd := wrongs(cases, found):
        lines += ["", "## Not as it must", "", *(f"- {line}" for line in odd)]
    return "\n".join(lines) + "\n"


def in_readme(text: str, said: str) -> str:
    """The README with the score between its marks. Raises ValueError where these are not there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{BEGIN}…{END} is not in the README")
    return f"{before}{BEGIN}{said}{END}{after}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def by_exercise(cases: Sequence[Case]) -> list[tuple[str, list[Case]]]:
    """In the order of numbers."""
    found: dict[int, list[Case]] = {}
    for case in cases:
        found.setdefault(case.exercise.toml.number, []).append(case)
    return [(mine[0].exercise.title, mine) for _, mine in sorted(found.items())]
