"""The page of a comparison, made of its comparison.json alone: `write_page` writes it, and it needs nothing else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from accepted.compare.forest import forest
from accepted.compare.loads import loads
from accepted.compare.record import PAGE
from accepted.compare.table import between, conditions, ratio, value, winners
from accepted.load.report import STYLE


def write_page(folder: Path, found: Mapping[str, Any]) -> Path:
    """Writes the page, and returns where it is."""
    path = folder / PAGE
    path.write_text(page(found))
    return path


def page(found: Mapping[str, Any]) -> str:
    names = found["systems"]
    title = f"{', '.join(names[:-1])} and {names[-1]}, {found['rounds']} round{'s' * (found['rounds'] != 1)}"
    told = "".join(f"<li>{escape(line)}</li>" for line in [*winners(found), *conditions(found)])
    mood = "good" if found["code"] == 0 else "bad"
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>',
        f'<h1>{escape(title)}</h1><div class="verdict {mood}"><ul>{told}</ul></div>',
    ]
    for other in names[1:]:
        parts.append(f"<h2>{escape(_heading(found, names[0], other))}</h2>" + forest(found["metrics"], names[0], other))
    for each in found["winners"]:
        family = [metric for metric in found["metrics"] if metric["family"] == each["family"]]
        heading = _order(family, names) if len(family) == 1 else f"{each['family']}: {_best(each)}"
        parts.append(f"<h2>{escape(heading)}</h2>{loads(family, names)}")
    return "".join([*parts, _table(found)])


def _heading(found: Mapping[str, Any], base: str, other: str) -> str:
    said = Counter(between(metric, base, other)["word"] for metric in found["metrics"])
    words = ", ".join(f"{word} in {count}" for word, count in said.most_common())
    return f"{other} beside {base}: {words} of {len(found['metrics'])} metrics"


def _best(each: Mapping[str, Any]) -> str:
    if each["winner"]:
        return f"{each['winner']} is better than every other at every load"
    best = {name for name in each["at"].values() if name}
    if not best:
        return "nobody is better than every other, at any load"
    return "the best changes with the load, so nobody wins" if len(best) > 1 else (
        f"{best.pop()} is best at some loads and not at all of them, so nobody wins")  # fmt: skip


def _order(family: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    metric = family[0]
    medians = ", ".join(f"{name} {value(metric['median'][name], metric['unit'])}" for name in names)
    return f"{metric['name']}: {medians}"


def _table(found: Mapping[str, Any]) -> str:
    heads = ("Medians", "Ratio and 95 % interval", "p", "CV", "Word", "Why")
    rows = ["<tr><th>Metric</th><th>Systems</th>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
    for metric in found["metrics"]:
        for one in metric["comparisons"]:
            medians = " → ".join(value(metric["median"][one[end]], metric["unit"]) for end in ("base", "other"))
            p, cv = (f"{one['p']:.2g}", f"{one['cv']:.0%}") if one["rounds"] else ("–", "–")
            cells = (metric["name"], f"{one['base']} → {one['other']}", medians, ratio(one), p, cv, one["word"],
                     one["why"])  # fmt: skip
            rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    told = (
        "Each number is one run's; a ratio is the geometric mean of the rounds' ratios, p is of the sign-flip test, "
        "adjusted (Holm) for all pairs of its metric. docs/compare.md says how each word is decided."
    )
    return (
        f'<h2>Every pair</h2><table>{"".join(rows)}</table><p class="small">{escape(told)} Scenario '
        f"{escape(found['scenario'])}, seed {found['seed']}, plan {found['fingerprint']}.</p>"
    )
