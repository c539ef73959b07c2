"""pytest as the engine: it finds the checks and runs them; the order, the skipping and the telling are ours."""

import json
import os
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from accepted.grade import evidence
from accepted.grade.appetite import Appetite
from accepted.grade.exercise import Exercise
from accepted.grade.request import Request
from accepted.grade.stage import Stage
from accepted.grade.verdict import Broken, Result, Unknown, blocked

PLUGIN: pytest.StashKey["Plugin"] = pytest.StashKey()


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """What each check is given. (Of the module, which is a plugin too: pytest gives up session fixtures of objects.)"""
    yield from request.config.stash[PLUGIN].staged()


class Plugin:
    """Writes a line as each check begins, and a line of what it came to."""

    def __init__(self, exercise: Exercise, request: Request) -> None:
        self.exercise, self.told = exercise, request.told
        self.folder, self.shown = Path(request.evidence), Path(request.shown)
        self.results: dict[str, Result] = {}
        self._stage = Stage(exercise, Path(request.tree), request.backend, request.seed, request.foreign)
        self._appetite = Appetite(lambda: getattr(getattr(self._stage, "stack", None), "runner", None))
        self._began = 0.0
        self._last = ""  # the check in which the tree ended

    def staged(self) -> Iterator[Stage]:
        self._appetite.start()
        yield self._stage
        self._appetite.stop()
        self._stage.close()

    # -- pytest's hooks

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[PLUGIN] = self

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """In the order of the graph. Raises UsageError where checks.py and exercise.toml name different checks."""
        order = self.exercise.toml.order()
        found = {_name(item): item for item in items}
        if odd := sorted(set(order) ^ set(found)):
            raise pytest.UsageError(f"only one of checks.py and exercise.toml has: {', '.join(odd)}")
        items[:] = [found[name] for name in order]

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        name = _name(item)
        self._began = time.monotonic()
        self._tell({"begin": name})
        if self._last:
            pytest.skip(f"needs {self._last}, which did not pass")
        if root := blocked(self.exercise.toml.checks[name].needs, self.results):
            pytest.skip(f"needs {root}, which did not pass")

    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """What a check returns is what it measured; pytest would only warn of it."""
        named = pyfuncitem._fixtureinfo.argnames
        measured = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in named})
        name = _name(pyfuncitem)
        if ended := self._ended():
            raise ended
        if not isinstance(measured, str) or not measured:
            raise TypeError(f"check {name} did not say what it measured")
        self._end(self._result(name, "pass", measured))
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        if call.excinfo is not None:
            self._went_wrong(_name(item), call.when, call.excinfo.value)
        return report

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._tell({"end": int(exitstatus)})

    # -- what each came to

    def _ended(self) -> Broken | None:
        """Why nothing of the tree runs any more, if that is so: it ate too much, or ended at every start."""
        return self._appetite.broken or self._stage.ended()

    def _went_wrong(self, name: str, when: str, error: BaseException) -> None:
        if when == "call" and (ended := self._ended()):  # whatever came of it afterwards
            error, self._last = ended, name
        if isinstance(error, Broken):
            result = self._broken(name, error)
        elif isinstance(error, Unknown):
            result = self._result(name, "unknown", str(error))
        elif isinstance(error, pytest.skip.Exception):
            result = self._result(name, "skipped", str(error.msg))
        elif when == "teardown":
            result = Result("leaving", "grader-error", f"{type(error).__name__}: {error}")
        else:
            result = self._result(name, "grader-error", f"{type(error).__name__}: {error}")
            result.file = self._write(name, traceback.format_exception(error))
        self._end(result)

    def _broken(self, name: str, error: Broken) -> Result:
        result = self._result(name, "fail", error.rule)
        result.stimulus, result.difference = error.stimulus, error.difference
        result.costs, result.look = error.costs, error.look
        whole = evidence.render(error.evidence)
        result.evidence = evidence.shortened(whole)
        own = [
            line
            for process in error.logs
            for line in ("", f"The app's own log of {process}, its last lines (its words, not the grader's):",
                         *(f"app| {line}" for line in self._stage.logs(process)))
        ]  # fmt: skip
        about = [f"{self.exercise.title}, check {name}: fail", "", f"What was done: {error.stimulus}"]
        about += [f"The rule: {error.rule}", f"The first difference: {error.difference}", "", "What was seen:"]
        rest = ["", f"What it costs: {error.costs}", f"Where to look: {error.look}"]
        result.file = self._write(name, [f"{line}\n" for line in (*about, *whole, *rest, *own)])
        return result

    def _result(self, name: str, status: Any, message: str) -> Result:
        check = self.exercise.toml.checks[name]
        return Result(name, status, message, check.needs, check.says, round(time.monotonic() - self._began, 3))

    def _end(self, result: Result) -> None:
        self.results[result.name] = result
        self._tell({"result": asdict(result)})

    def _write(self, name: str, lines: Sequence[str]) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.txt"
        path.write_text("".join(lines))
        return str(self.shown / path.name)

    def _tell(self, line: dict[str, Any]) -> None:
        left = json.dumps(line).encode() + b"\n"
        while left:
            left = left[os.write(self.told, left) :]


def _name(item: pytest.Item) -> str:
    return item.name.removeprefix("check_").replace("_", "-")
