"""What a transcript teaches, so that two of them can be compared."""

import re
from dataclasses import dataclass

from accepted.graders.transcripts import normalised

PARTS = ("what was done", "first difference", "what was seen", "what it costs", "where to look", "all of it")


@dataclass(frozen=True)
class Lesson:
    """What the first failed check of a transcript says, without line breaks and all that changes from run to run."""

    check: str
    rule: str
    stimulus: str
    difference: str
    costs: str
    look: str


def lesson(transcript: str) -> Lesson | None:
    """None where nothing failed in it."""
    lines = transcript.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("   ✗ ")), None)
    if start is None:
        return None
    check, _, said = lines[start].removeprefix("   ✗ ").partition("  ")
    told: dict[str, list[str]] = {"rule": [said.strip().removeprefix("fail: ")]}
    part = "rule"
    for line in lines[start + 1 :]:
        if re.match(r"   [✓✗–?!] ", line):
            break
        part = next((each for each in PARTS if line.strip().startswith(each)), part)
        told.setdefault(part, []).append(line.strip().removeprefix(part).strip())
    parts = (_plain(" ".join(told.get(name, ()))) for name in ("rule", PARTS[0], PARTS[1], PARTS[3], PARTS[4]))
    return Lesson(check.strip(), *parts)


def _plain(text: str) -> str:
    """Line breaks first: a figure may have its unit in the next line."""
    return re.sub(r"\d+", "0", normalised(" ".join(text.split())))
