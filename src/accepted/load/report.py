"""A page of one run, made of its bundle alone: `report(folder)` writes report.html, which needs nothing else."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from accepted.load.account import Row
from accepted.load.bundle import read_lines
from accepted.load.chart import BLUE, GREEN, ORANGE, VERMILION, Limit, Line, Span, chart
from accepted.load.figures import ages
from accepted.load.slo import METRICS, Objective, at_quantile, shown

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin:2.2rem 0 .3rem}
svg{width:100%;font:12px system-ui}
svg text{fill:#3d444d}.grid{stroke:#d8dde3}.slo{stroke:#1b1f24;stroke-width:1.5;stroke-dasharray:7 4}
.slot,.markt{font-weight:600}.ph{font-weight:600}.mark{stroke:#1b1f24;stroke-dasharray:1 3}
.k{width:34px;height:8px;margin-right:.4rem}
.key span{margin-right:1.6rem}.key{margin:.1rem 0}table{border-collapse:collapse;width:100%}th{text-align:left}
td,th{padding:.2rem .7rem .2rem 0;border-bottom:1px solid #d8dde3;vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}
.verdict{font-size:1.1rem;padding:.6rem 1rem;border-left:6px solid}.good{border-color:#0072B2;background:#eef5fa}
.bad{border-color:#D55E00;background:#fdf1ea}
code,pre{font:12px ui-monospace,monospace}pre{overflow:auto}.small{color:#57606a}
"""


class Bundle:
    """What `results/load/<run>/` holds, read back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest, self.summary, self.verdict, faults = (
            json.loads((folder / f"{name}.json").read_text()) for name in ("manifest", "summary", "verdict", "faults")
        )
        self.rows = [Row(**each) for each in read_lines(folder / "events.jsonl.gz")]
        self.samples = read_lines(folder / "samples.jsonl.gz")
        self.marks = [(each["at"], each["fault"].replace("_", " ")) for each in faults["faults"]]
        self.end = float(self.summary["seconds"])
        self.spans = self._spans()

    def _spans(self) -> list[Span]:
        found, at = [], 0.0
        for phase in self.manifest["scenario"]["phases"]:
            ends = min(self.end, at + phase["seconds"])
            if ends > at:
                found.append(Span(phase["name"], at, ends))
            at += phase["seconds"]
        if found:
            found[-1] = Span(found[-1].name, found[-1].begins, self.end)
        return found

    def limits(self, metric: str, kind: str | None = None) -> list[Limit]:
        """The objectives of a metric, where their phase lies."""
        found = []
        for each in self.verdict["objectives"]:
            if (each["metric"], each["kind"]) != (metric, kind):
                continue
            objective = Objective(metric, each["op"], each["value"], each["target"])
            for span in self.spans:
                if each["phase"] in (None, span.name):
                    found.append(
                        Limit(f"SLO {objective.what} {objective.limit}", span.begins, span.ends, each["value"])
                    )
        return found


def report(folder: Path) -> Path:
    """Writes the page, and returns where it is."""
    bundle = Bundle(folder)
    path = folder / "report.html"
    path.write_text(page(bundle))
    return path


def page(of: Bundle) -> str:
    about, verdict = of.manifest, of.verdict
    title = f"{about['scenario']['name']} on {about['tree']} ({about['backend']})"
    parts = (_accept, _end_to_end, _age, _replicas, _rates, _objectives, _quantiles, _promises, _conditions)
    good = "good" if verdict["code"] == 0 else "bad"
    reasons = verdict["invalid"] or [f"{_named(each).what}: {_found(each)}, and {_named(each).limit} was promised"
                                     for each in verdict["objectives"] if not each["held"]]  # fmt: skip
    why = "".join(f"<li>{escape(each)}</li>" for each in reasons)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}: {verdict["verdict"]}</title>'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1>"
        f"<p>{escape(about['scenario']['title'])}. Seed {about['seed']}.</p>"
        f'<div class="verdict {good}"><b>{escape(verdict["verdict"].capitalize())}</b> (exit status {verdict["code"]})'
        f"{f'<ul>{why}</ul>' if why else ''}</div>"
    ) + "".join(part(of) for part in parts)


def _by_second(rows: Sequence[Row], metric: str, target: float) -> list[tuple[float, float | None]]:
    """Of the arrivals due in each second; those that never ended have no place on the paper, and break the line."""
    found: defaultdict[int, list[float]] = defaultdict(list)
    for row in rows:
        if (took := row.took(metric)) is not None:
            found[int(row.t_int)].append(took)
    last = max(found, default=0)
    worst = {second: at_quantile(values, target, "lte") for second, values in found.items()}
    return [(n + 0.5, None if (value := worst.get(n)) is None or math.isinf(value) else value) for n in range(last + 1)]


def _worst(of: Bundle, metric: str) -> str:
    """`p95 from 12 ms (steady) to 3.1 s (burst)`."""
    found = []
    for span in of.spans:
        each = of.summary["phases"].get(span.name, {}).get(metric, {})
        if each.get("count") and span.name != "warmup":
            found.append((math.inf if each["p95"] is None else each["p95"], span.name))
    if not found:
        return "was never seen"
    low, high = min(found), max(found)
    if math.isinf(low[0]):
        return "p95 never ended, in any phase"
    if low == high or high[0] < 1.5 * low[0]:
        return f"p95 stayed at {shown(high[0], 's')}"
    return f"p95 went from {shown(low[0], 's')} ({low[1]}) to {shown(high[0], 's')} ({high[1]})"


def _accept(of: Bundle) -> str:
    lines = [Line("p95 of each second", BLUE, _by_second(of.rows, "accept", 0.95)),
             Line("slowest of each second", ORANGE, _by_second(of.rows, "accept", 1.0))]  # fmt: skip
    refused = of.summary["counts"].get("refused", 0)
    told = f"; {refused} requests were refused" if refused else ""
    text = f"Taking work on: {_worst(of, 'accept')}{told}"
    return f"<h2>{escape(text)}</h2>" + chart(
        lines, "s, logarithmic", of.spans, of.limits("accept"), of.marks, log=True
    )


def _end_to_end(of: Bundle) -> str:
    lines = [Line("median of each second", GREEN, _by_second(of.rows, "end_to_end", 0.5)),
             Line("p95 of each second", BLUE, _by_second(of.rows, "end_to_end", 0.95))]  # fmt: skip
    left = of.summary["counts"].get("unfinished", 0)
    told = f"; {left} jobs never ended, and where they are a second's p95 the line breaks" if left else ""
    text = f"Done, from the moment it should have been asked for: {_worst(of, 'end_to_end')}{told}"
    return f"<h2>{escape(text)}</h2>" + chart(
        lines, "s, logarithmic", of.spans, of.limits("end_to_end"), of.marks, log=True
    )


def _age(of: Bundle) -> str:
    series = ages(of.rows, 0.0, of.end)
    at, oldest = max(series, key=lambda one: one[1], default=(0.0, 0.0))
    drained = of.summary["drain"]
    told = f"; the backlog was gone {drained:.1f} s after the load" if drained else ""
    if drained is None and any(each["metric"] == "drain" for each in of.verdict["objectives"]):
        told = "; the backlog was never gone"
    text = f"The oldest job was {shown(oldest, 's')} old, {at:.0f} s into the run{told}"
    lines = [Line("age of the oldest accepted and unfinished job", VERMILION, series)]
    return f"<h2>{escape(text)}</h2>" + chart(lines, "s", of.spans, of.limits("oldest_age"), of.marks)


def _replicas(of: Bundle) -> str:
    """Of a run with an autoscaler."""
    path = of.folder / "replicas.json"
    if not path.exists():
        return ""
    told = json.loads(path.read_text())
    counts = [(max(0.0, float(at)), float(n)) for at, n in told["counts"]]
    stairs: list[tuple[float, float | None]] = []
    for n, (at, count) in enumerate(counts):
        stairs += [(at, counts[n - 1][1] if n else count), (at, count)]
    stairs.append((of.end, counts[-1][1]))
    house = told["house"]
    text = (f"Workers went from {house['floor']} to {max(n for _, n in counts):.0f}, and were "
            f"{counts[-1][1]:.0f} at the end; the cap was {house['cap']}")  # fmt: skip
    cap = [Limit(f"cap {house['cap']}", 0.0, of.end, house["cap"])]
    return f"<h2>{escape(text)}</h2>" + chart(
        [Line("worker-io processes", BLUE, stairs)], "workers", of.spans, cap, of.marks
    )


def _rates(of: Bundle) -> str:
    due = Counter(int(row.t_int) for row in of.rows)
    done = Counter(int(row.t_over) for row in of.rows if row.t_over is not None)
    seconds = range(int(of.end) + 1)
    lines = [Line("due", BLUE, [(n + 0.5, float(due[n])) for n in seconds]),
             Line("ended", GREEN, [(n + 0.5, float(done[n])) for n in seconds])]  # fmt: skip
    most_due, most_done = max(due.values(), default=0), max(done.values(), default=0)
    text = f"At most {most_due} jobs were due in a second, and {most_done} ended in one"
    return f"<h2>{escape(text)}</h2>" + chart(lines, "jobs/s", of.spans, (), of.marks)


def _named(each: Mapping[str, Any]) -> Objective:
    return Objective(each["metric"], each["op"], each["value"], each["target"], each["phase"], each["kind"])


def _found(each: Mapping[str, Any]) -> str:
    return "never" if each["never_ended"] else shown(each["found"], METRICS[each["metric"]][0])


def _objectives(of: Bundle) -> str:
    heads = ("Promised", "Found", "Of")
    rows = ["<tr><th></th><th>Objective</th>" + "".join(f'<th class="n">{head}</th>' for head in heads) + "</tr>"]
    for each in of.verdict["objectives"]:
        one, found = _named(each), _found(each)
        cells = [one.limit, found, f"{each['occurrences']:,}"]
        rows.append(f"<tr><td>{'✓' if each['held'] else '✗'}</td><td>{escape(one.what)}</td>"
                    + "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells) + "</tr>")  # fmt: skip
    kept = sum(each["held"] for each in of.verdict["objectives"])
    return f"<h2>{kept} of {len(of.verdict['objectives'])} objectives held</h2><table>{''.join(rows)}</table>"


def _quantiles(of: Bundle) -> str:
    heads = ("Jobs", "Never ended", "p50", "p95", "p99", "Longest")
    rows = ["<tr><th>Phase</th><th>What</th>" + "".join(f'<th class="n">{head}</th>' for head in heads) + "</tr>"]
    for span in of.spans:
        for metric, each in of.summary["phases"].get(span.name, {}).items():
            if each["count"] and metric != "oldest_age":
                cells = [f"{each['count']:,}", f"{each['censored']:,}"]
                cells += ["never" if each[q] is None else shown(each[q], "s") for q in ("p50", "p95", "p99", "max")]
                rows.append(f"<tr><td>{span.name}</td><td>{metric.replace('_', ' ')}</td>"
                            + "".join(f'<td class="n">{cell}</td>' for cell in cells) + "</tr>")  # fmt: skip
    return f"<h2>Every phase</h2><table>{''.join(rows)}</table>"


def _promises(of: Bundle) -> str:
    found = [f"{name}: {key}" for name in ("lost", "stuck", "duplicated", "phantom") for key in of.summary[name][:20]]
    if not found:
        return ""
    return (
        f"<h2>Lost, stuck, doubled or never asked for (the first of each)</h2><pre>{escape(chr(10).join(found))}</pre>"
    )


def _conditions(of: Bundle) -> str:
    generator = of.summary["generator"]
    lag = shown(generator["lag_p99"], "s")
    known = {
        name: of.manifest[name]
        for name in ("settings", "servers", "machine", "git", "fingerprint")
        if name in of.manifest
    }
    return (
        f"<h2>The load generator was {lag} late (p99), and took {generator['busiest']:.0%} of a core</h2>"
        '<p class="small">Times count from the moment at which a request should have left, not from when it did. The '
        f"events are beside this page in events.jsonl.gz.</p><pre>{escape(json.dumps(known, indent=1))}</pre>"
    )
