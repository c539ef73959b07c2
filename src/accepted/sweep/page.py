"""A failed case as a page of its own: every crossing, event, kill and entry of the ledger on one axis of time."""

import html
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from accepted.sweep.cases import Result

Entry = tuple[float, str, str]  # epoch seconds, lane, text

_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.2rem}code,td{font-family:ui-monospace,monospace;font-size:12px}table{border-collapse:collapse;width:100%}
td,th{padding:.15rem .6rem;text-align:left;vertical-align:top;border-left:1px solid #d8dde3}
th{position:sticky;top:0;background:#fff;border-bottom:2px solid #57606a}td.t{white-space:nowrap;color:#57606a}
tr.kill td{background:#ffe3e0;font-weight:600}tr.job td{background:#e7f1ff}tr.ledger td{background:#fff3cd}
tr:target td,tr:hover td{outline:1px solid #57606a}
.why{border-left:4px solid #b42318;padding:.2rem .8rem;margin:.5rem 0}
@media(prefers-color-scheme:dark){body,th{background:#14171a;color:#e6e8ea}tr.kill td{background:#5c1a16}
tr.job td{background:#14304f}tr.ledger td{background:#4b3d10}td.t{color:#9aa4af}}
"""


def entries(result: Result) -> list[Entry]:
    """All that the witnesses saw, in order of time."""
    found: list[Entry] = [(at, "kill", text) for at, text in result.marks]
    found += [(one.at, f"{one.process} → {one.service}", f"{one.name} #{one.ordinal}") for one in result.crossings]
    if history := result.history:
        keys = {job.id: job.key for job in history.jobs}
        for event in history.events:
            text = f"{keys.get(event.job, event.job)}: {event.state} {event.percent} % {event.message}"
            found.append((event.at, "job", text))
        for effect in history.effects:
            found.append((effect.at, "ledger", f"{effect.kind} {effect.key} by {effect.worker or '?'}"))
    return sorted(found, key=lambda one: one[0])


def render(result: Result, replay: str, facts: Iterable[str] = ()) -> str:
    """The page: self-contained, readable without a network, light and dark."""
    found = entries(result)
    columns = list(dict.fromkeys(lane for _, lane, _ in found))
    columns.sort(key=lambda lane: (lane not in ("kill", "job", "ledger"), lane))
    began = found[0][0] if found else 0.0
    rows = []
    for at, lane, text in found:
        cells = "".join(f"<td>{html.escape(text) if lane == column else ''}</td>" for column in columns)
        moment = datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S.%f")[:-3]
        look = lane if " " not in lane else "line"
        rows.append(f'<tr class="{look}"><td class="t">{moment} +{at - began:.3f}</td>{cells}</tr>')
    why = "".join(f'<p class="why">{html.escape(str(one))}</p>' for one in result.verdict.findings)
    if result.verdict.unknown:
        why += f'<p class="why">unknown: {html.escape(result.verdict.unknown)}</p>'
    heads = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    told = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    title = html.escape(result.case)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}: {result.outcome}</h1>{why}<p>Replay: <code>{html.escape(replay)}</code></p><ul>{told}</ul>"
        f"<table><thead><tr><th>time</th>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></html>\n"
    )


def write(result: Result, folder: Path, replay: str, facts: Iterable[str] = ()) -> Path:
    """Writes the page; returns where."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() or c in "-._" else "_" for c in result.case)[:120]
    path = folder / f"{name}.html"
    path.write_text(render(result, replay, facts), encoding="utf-8")
    return path
