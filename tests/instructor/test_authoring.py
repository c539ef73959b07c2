"""docs/authoring.md speaks of what there is."""

import inspect
import re
import tomllib

from accepted.grade.exercise import Check, KnownBad, Toml
from accepted.grade.stage import Stage
from accepted.grade.verdict import Broken
from accepted.ladder import ROOT
from accepted.stack.runner import Runner

PAGE = (ROOT / "docs" / "authoring.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_key_of_exercise_toml_is_explained() -> None:
    said = section("exercise.toml")
    singles = {name: f"`{name}`" for name in Toml.model_fields} | {
        "env": "`[env]`", "checks": "`[checks.name]`", "known_bad": "`[known_bad.name]`"}  # fmt: skip
    inner = {name: f"`{name}`" for kind in (Check, KnownBad) for name in kind.model_fields}
    assert [name for name, written in (singles | inner).items() if written not in said] == []


def test_what_stands_on_the_stage_stands_there() -> None:
    rows = re.findall(r"^\| (`.+?`) \|", section("checks.py"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)[(`]", row)}
    assert named, "the table is read"
    there = {*vars(Stage), *Stage.__annotations__, *re.findall(r"self\.(\w+)", inspect.getsource(Stage.__init__))}
    assert named - there == set()
    assert {"start", "stop", "freeze", "thaw"} <= set(vars(Runner))
    told = set(inspect.signature(Broken).parameters) - {"self"}
    assert {name for name in told if f"`{name}`" not in section("checks.py")} == set()


def test_its_examples_are_python_and_toml() -> None:
    for kind, code in re.findall(r"```(python|toml)\n(.*?)```", PAGE, re.DOTALL):
        if kind == "python":
            compile(code, "authoring.md", "exec")
        else:
            assert tomllib.loads(code)["change"]


def test_every_file_that_it_names_exists() -> None:
    linked = re.findall(r"\]\(([^)#]+)", PAGE)
    assert [path for path in linked if not (ROOT / "docs" / path).exists()] == []
