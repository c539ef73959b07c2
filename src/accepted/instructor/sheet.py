"""The room as CSV: a line for each learner, exercise and check, for a spreadsheet to turn as it likes."""

import csv
import io
from datetime import UTC, datetime

from accepted.instructor.collected import printable
from accepted.instructor.room import Room

HEAD = (
    "learner",
    "exercise",
    "slug",
    "backend",
    "verdict",
    "points",
    "graded_at",
    "seconds",
    "check",
    "status",
    "said",
)


def render(room: Room) -> str:
    """With a line of its own for a learner of whom nothing is known."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(HEAD)
    known = {one.toml.number: one for one in room.exercises}
    for learner in room.learners:
        for number, found in learner.results.items():
            worth = known[number].toml.points if found.verdict == "pass" else 0
            at = datetime.fromtimestamp(found.started, UTC).isoformat(timespec="seconds")
            about = (number, found.slug, found.backend, found.verdict, worth, at, f"{found.seconds:.1f}")
            for check in found.checks:
                said = printable(check.difference or check.message, 300)
                lines.writerow((tame(learner.name), *about, tame(check.name), check.status, tame(said)))
        if not learner.results:
            lines.writerow((tame(learner.name), *[""] * (len(HEAD) - 1)))
    return out.getvalue()


def tame(text: str) -> str:
    """A spreadsheet takes what begins like this for a formula, and runs it."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
