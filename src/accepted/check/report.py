"""What a learner reads on the screen; what a machine reads from results/NN.json and JUnit's XML."""

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from accepted import durable
from accepted.demo.screen import Screen
from accepted.grade.engine import Report
from accepted.grade.verdict import Result
from accepted.stack.errors import cannot_write

WIDTH = 110
MARKS = {"pass": ("✓", "green"), "fail": ("✗", "red"), "skipped": ("–", "yellow"), "unknown": ("?", "yellow"),
         "grader-error": ("!", "magenta")}  # fmt: skip


def opening(screen: Screen, title: str, tree: Path | str, backend: str, seed: int) -> None:
    """The first line."""
    screen.line(screen.style(title, bold=True) + f"   tree {tree}, backend {backend}, seed {seed}")


class Told:
    """Prints each check as it ends: a line where it passed, and of the first that failed all that teaches."""

    def __init__(self, screen: Screen, width: int) -> None:
        self.screen, self.width = screen, width
        self._failed = False

    def __call__(self, result: Result) -> None:
        mark, colour = MARKS[result.status]
        said = result.message if result.status in ("pass", "skipped") else f"{result.status}: {result.message}"
        head = f"   {self.screen.style(mark, fg=colour)} {result.name:<{self.width}}  "
        first, *more = _folded(said, WIDTH - self.width) or [""]
        self.screen.line(head + first)
        for line in more:
            self.screen.line(" " * (self.width + 7) + line)
        if result.status == "fail":
            for line in block(result, whole=not self._failed):
                self.screen.line(f"       {line}".rstrip())
            self._failed = True
        elif result.file:
            self.screen.line(f"       its traceback: {result.file}")


def block(result: Result, whole: bool = True) -> list[str]:
    """A failed check in words; without `whole` only stimulus and first difference, and where the rest is."""
    parts: list[tuple[str, Sequence[str]]] = [
        ("what was done", [result.stimulus]),
        ("first difference", [result.difference]),
    ]
    if whole:
        parts.append(("what was seen", result.evidence))
        parts += [("what it costs", [result.costs]), ("where to look", [result.look])]
    parts.append(("all of it", [result.file or ""]))
    found = [""] if whole else []
    for name, lines in parts:
        # A moment of the timeline stays in its line: its mark is what the eye looks for.
        wrapped = (
            lines if lines is result.evidence else [piece for line in lines for piece in _folded(line, WIDTH - 18)]
        )
        for number, line in enumerate(wrapped):
            found.append(f"{name if not number else '':<18}{line}".rstrip())
    return [*found, ""] if whole else found


def _folded(line: str, width: int) -> list[str]:
    """Between words only: an id or the name of a check is there to be copied."""
    return textwrap.wrap(line, width, break_on_hyphens=False, break_long_words=False)


def closing(report: Report, replay: str, file: Path) -> list[str]:
    """The last lines."""
    counts = {status: sum(one.status == status for one in report.checks) for status in MARKS}
    said = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    lines = [f"{report.verdict.upper()}: {said} · {report.seconds:.1f} s · {file}"]
    if report.verdict != "pass":
        lines.append(f"again, with the same chances: {replay}")
    if report.verdict in ("unknown", "grader-error"):
        lines.append(
            "This says nothing about your tree: it could not be judged. Try again; should it stay, read the file."
        )
    return lines


def as_json(report: Report) -> str:
    """One object, as results/NN.json holds it: `started` in s since 1970, `seconds` and those of each check in s."""
    return json.dumps(asdict(report), indent=1)


def save(path: Path, text: str) -> None:
    """In one step, so that whoever reads it never reads half. Raises Problem."""
    try:
        durable.write(path, text.encode())
    except OSError as error:
        raise cannot_write(error.filename or path, error) from error


NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """One suite, a case for each check; what could not be judged is an error, as JUnit calls it. Characters that XML
    does not have, such as an app's colours, are shown as such."""
    failed = [one for one in report.checks if one.status == "fail"]
    errors = [one for one in report.checks if one.status in ("unknown", "grader-error")]
    skipped = [one for one in report.checks if one.status == "skipped"]
    suite = Element("testsuite", name=f"exercise {report.exercise}: {report.slug}", time=f"{report.seconds:.3f}",
                        tests=f"{len(report.checks)}", failures=f"{len(failed)}", errors=f"{len(errors)}",
                        skipped=f"{len(skipped)}")  # fmt: skip
    for one in report.checks:
        case = SubElement(suite, "testcase", classname=report.slug, name=one.name, time=f"{one.seconds:.3f}")
        if one.status == "fail":
            SubElement(case, "failure", message=one.message).text = "\n".join(block(one))
        elif one.status == "skipped":
            SubElement(case, "skipped", message=one.message)
        elif one.status != "pass":
            SubElement(case, "error", message=f"{one.status}: {one.message}")
    for each in suite.iter():
        each.text = each.text and NO_XML.sub("\N{REPLACEMENT CHARACTER}", each.text)
        for name, value in each.items():
            each.set(name, NO_XML.sub("\N{REPLACEMENT CHARACTER}", value))
    return tostring(suite, encoding="unicode", xml_declaration=True)
