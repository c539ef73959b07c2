"""What is compared: `rq`, `celery-redis@exercises/start`, `rq+20%`. Pure but for the look whether a tree is there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from accepted.stack.environment import settle
from accepted.stack.errors import Problem

_SPEC = re.compile(r"(?P<backend>[a-z-]+)(?:@(?P<tree>[^+]+))?(?:\+(?P<slower>\d{1,3})%)?")


@dataclass(frozen=True)
class System:
    """`slower`: its processes and servers stand still for so much of the time that all takes (1 + slower) times as
    long. `name` tells it from the others of the comparison."""

    name: str
    backend: str
    tree: str
    slower: float = 0.0


def systems(words: Sequence[str], here: Path, environ: Mapping[str, str]) -> list[System]:
    """In the order given; the same one twice is told apart by a number. Raises Problem for one that can't be run."""
    if len(words) < 2:
        raise Problem("one system is nothing to compare", f"{len(words)} given", "Name two: accepted compare rq celery")
    found: list[System] = []
    for word in words:
        matched = _SPEC.fullmatch(word)
        if matched is None:
            raise Problem(f"no system {word}", "it is BACKEND, BACKEND@TREE or BACKEND+N%", "Try rq+20%.")
        backend, _ = settle(matched["backend"], environ)
        tree = matched["tree"] or str(environ.get("TREE", "solutions"))
        if not (here / tree / "Procfile").exists():
            raise Problem(f"no tree {tree}", f"{here / tree} has no Procfile", "Name a folder that has one.")
        name = backend + (f"@{matched['tree']}" if matched["tree"] else "")
        name += f"+{matched['slower']}%" if matched["slower"] else ""
        same = sum(each.name.partition(" (")[0] == name for each in found)
        found.append(System(f"{name} ({same + 1})" if same else name, backend, tree, int(matched["slower"] or 0) / 100))
    return found
