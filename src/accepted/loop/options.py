"""What the commands of the loop have in common."""

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from accepted.grade.exercise import folders
from accepted.loop.work import DEFAULT


def _with_a_name(ctx: click.Context, param: click.Parameter, tree: Path) -> Path:
    """`.` and `..` have none, and the stashes are beside the tree, under its name."""
    try:
        tree = tree if tree.name not in ("", "..") else tree.resolve()
    except FileNotFoundError:
        raise click.BadParameter("the folder that you are in is gone; go to another with cd") from None
    if not tree.name:
        raise click.BadParameter(f"{tree} has no folder around it, where your stashes would be; name another")
    return tree


directory = click.option(
    "--dir", "directory", default=DEFAULT, show_default=True, type=click.Path(path_type=Path, file_okay=False),
    callback=_with_a_name, help="The tree that you work in.",
)  # fmt: skip
as_json = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON, and nothing else.")


class Number(click.ParamType[int]):
    """An exercise that there is, with or without leading zeros; a usage error names them where it is not."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        known, text = folders(), str(value)
        for number in known:
            if text.lstrip("0") == str(number):
                return number
        integer = text.lstrip("+-").isdecimal()
        wrong = f"there is no exercise {text}" if integer else f"{text!r} is not a valid integer"
        return self.fail(f"{wrong}; there are {', '.join(map(str, known))}", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [
            CompletionItem(str(number), help=path.name)
            for number, path in folders().items()
            if str(number).startswith(incomplete)
        ]


NUMBER = Number()
