"""A climb as its chart, its caption and its lines."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from accepted.ascent import climbing, picture, publishing
from accepted.ascent.figures import Step, caption, ratios, step
from accepted.load.account import Row
from accepted.load.bundle import read_lines
from accepted.stack.state import root


def tell(folder: Path, backend: str, publish: bool, as_json: bool) -> None:
    """Draws the climb, publishes it where that was asked for, and says what it came to."""
    there = list(climbing.found(folder))
    steps = {rung.folder: measured(made) for rung, made in there}
    seed = json.loads((there[0][1] / "manifest.json").read_text())["seed"]
    text = caption(steps, seed, backend)
    svg, png = picture.write(folder, [(rung.done, rung.label) for rung, _ in there], list(steps.values()))
    (folder / "caption.md").write_text(text + "\n")
    if publish:
        publishing.publish(folder, root(), text)
    if as_json:
        values = list(steps.values())
        told = {"steps": {name: asdict(each) for name, each in steps.items()}, "chart": str(svg),
                "ratios": asdict(ratios(values[0], values[-1]))}  # fmt: skip
        click.echo(json.dumps(told, indent=1))
        return
    for name, each in steps.items():
        click.echo(f"{name:<16} answer p95 {each.answer:8.3f} s   within 30 s {each.soon:3}   in the end {each.ever:3} "
                   f"of {each.asked}")  # fmt: skip
    click.echo(f"\n{text}\nChart: {png}")


def measured(made: Path) -> Step:
    patience = json.loads((made / "manifest.json").read_text())["scenario"]["patience"]
    return step((Row(**each) for each in read_lines(made / "events.jsonl.gz")), patience)
