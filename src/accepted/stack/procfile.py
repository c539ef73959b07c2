"""Reads a Procfile: `name: command`, one process a line."""

import re
from pathlib import Path

from accepted.stack.errors import Problem

_LINE = re.compile(r"^([A-Za-z0-9_-]+)\s*:\s*(\S.*)$")


def parse(text: str) -> dict[str, str]:
    """Name → command, in the file's order.

    Blank lines and lines that begin with # do not count; ValueError names a bad line.
    """
    commands: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith("#"):
            continue
        if (found := _LINE.match(line)) is None:
            raise ValueError(f"line {number} is not `name: command`: {line[:60]!r}")
        name, command = found.groups()
        if name in commands:
            raise ValueError(f"line {number} names {name} a second time")
        commands[name] = command
    return commands


def read(path: Path) -> dict[str, str]:
    """`parse` of a file; a Problem where it is missing or wrong."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Problem(
            f"cannot read {path}",
            (error.strerror or str(error)).lower(),
            "Name the folder of a tree with a Procfile: --tree DIR.",
        ) from error
    except ValueError as error:  # also text that is not UTF-8
        raise Problem(f"{path} is no Procfile", str(error), "Mend that line; each is `name: command`.") from error


def select(commands: dict[str, str], wanted: list[str] | None, tree: Path) -> dict[str, str]:
    """Only the wanted processes (None: all) and `release`, in the file's order.

    A Problem for a name that the file lacks.
    """
    if wanted is None:
        return commands
    for name in wanted:
        if name not in commands:
            raise Problem(f"no process {name}", f"{tree / 'Procfile'} has {', '.join(commands)}", "Name one of these.")
    return {name: command for name, command in commands.items() if name in wanted or name == "release"}
