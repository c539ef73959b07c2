"""YAML that a person wrote, checked against a JSON Schema; what is wrong is told with file and line."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from accepted.stack.errors import Problem

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(duration: str) -> float:
    """`10s`, `50ms`, `2m` or `1h` in seconds. Raises ValueError."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration; write it as 10s, 50ms, 2m or 1h")
    return float(found[1]) * _SECONDS[found[2]]


class Document:
    """One YAML document: `data`, and where in the file each part of it stands."""

    def __init__(self, path: Path, node: yaml.Node, data: Any) -> None:
        self.path, self.data, self._node = path, data, node

    def line(self, where: Sequence[str | int] = ()) -> int:
        """The line (from 1) of the part at this path of keys and indices, or of the nearest part around it."""
        node, mark = self._node, self._node.start_mark
        for step in where:
            if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                mark = node.start_mark
            elif isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in node.value if key.value == step]
                if not pairs:
                    break
                mark, node = pairs[0][0].start_mark, pairs[0][1]
        return int(mark.line) + 1

    def problem(self, why: str, where: Sequence[str | int] = (), cure: str = "Change that line.") -> Problem:
        return Problem(f"{self.path}, line {self.line(where)}", why, cure)


def documents(path: Path, schema: Path) -> list[Document]:
    """The documents of the file, each good by the schema. Raises Problem."""
    try:
        text = path.read_text()
        loader = yaml.SafeLoader(text)
        found = [Document(path, node, loader.construct_document(node)) for node in _nodes(loader)]
    except OSError as error:
        raise Problem(f"cannot read {path}", error.strerror or str(error), "Name a file that is there.") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Problem(f"{path}, line {line}", str(error.problem), "YAML is what is read here.") from error
    if not found:
        raise Problem(f"{path} is empty", "nothing can be run or judged by it", "Look at its neighbours.")
    rules = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    for document in found:
        _check(document, rules, schema)
    return found


def _nodes(loader: yaml.SafeLoader) -> Iterator[yaml.Node]:
    while loader.check_node():
        if node := loader.get_node():
            yield node


def _check(document: Document, rules: jsonschema.Draft202012Validator, schema: Path) -> None:
    errors = sorted(rules.iter_errors(document.data), key=lambda one: list(map(str, one.absolute_path)))
    if not errors:
        return
    worst = jsonschema.exceptions.best_match(errors)
    assert worst is not None
    where: list[str | int] = list(worst.absolute_path)
    if worst.validator == "additionalProperties" and isinstance(worst.instance, dict):
        allowed = set(worst.schema.get("properties", {}))
        where += [key for key in worst.instance if key not in allowed][:1]
    raise document.problem(worst.message, where, f"What may stand there says {schema}.")
