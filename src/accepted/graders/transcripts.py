"""docs/transcripts/: the screen of `make exercise-N` on which a learner's check fails, with its figures and ids.

Two of them are compared with all made equal that changes from run to run.
"""

import io
import re
from dataclasses import replace
from pathlib import Path

from accepted import durable
from accepted.check import report as reporting
from accepted.demo.screen import Screen
from accepted.grade.engine import Report
from accepted.grade.verdict import Result
from accepted.graders.cases import Case
from accepted.ladder import ROOT
from accepted.loop.telling import stuck
from accepted.loop.work import DEFAULT

TRANSCRIPTS = ROOT / "docs" / "transcripts"
_PRIVATE = re.compile(r"(?<![\w…/.])/(?:tmp|dev/shm|run|var|home|root)/[\w./+-]+")
_HEX = r"[0-9a-f]"
_RULES: tuple[tuple[str, str], ...] = (
    (r"\b(\w+://)[^\s,)]*", r"\1…"),
    (rf"\b{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}\b", "<id>"),
    (rf"\b{_HEX}{{8}}-{_HEX}{{4}}…", "<id>…"),
    (rf"\b{_HEX}{{8}}-{_HEX}{{1,4}}\b", "<id>"),
    (rf"(?<![\w-])(?=\w*\d){_HEX}{{8,64}}(?![\w-])", "<id>"),
    (rf"\b([a-z]{{2,4}})_{_HEX}{{6,}}\b", r"\1_<id>"),
    (r"\b(job|worker|process|pid) (<id>|\d+|[0-9a-f]{8})\b", r"\1 <n>"),
    (r"\((\d+)(, \d+)*\)(?=:| |$)", "(<n>)"),
    (r"127\.0\.0\.1:\d+|\bport \d+", "127.0.0.1:<port>"),
    (r"\b\d+(\.\d+)? (ms|s)\b", r"<t> \2"),
    (r"\b\d+\.\d{2,3}\b", "<t>"),
    (r"\bgrade-\d+-\d+\b", "<reference>"),
)  # fmt: skip
STAMP = re.compile(r"^(\s*(?:what was seen\s+)?)(\d+\.\d{3})  ", re.MULTILINE)


def normalised(text: str) -> str:
    """Ids, times and ports give way to what they are."""
    text = STAMP.sub(lambda found: f"{found[1]}{'<t>':>{len(found[2])}}  ", text)  # what comes after keeps its column
    for pattern, instead in _RULES:
        text = re.sub(pattern, instead, text)
    return text


def written(case: Case, report: Report) -> str:
    """The screen of `make exercise-N`, as it stands without colours."""
    out, label = io.StringIO(), case.exercise.label
    screen, shown = Screen(out), _in_work(report, label)
    screen.line(f"$ make exercise-{report.exercise}   # {_whose(case)}")
    reporting.opening(screen, case.exercise.title, shown.tree, report.backend, report.seed)
    told = reporting.Told(screen, max(map(len, case.exercise.toml.checks)))
    for result in shown.checks:
        told(result)
    again = f"make exercise-{report.exercise} BACKEND={report.backend} SEED={report.seed}"
    for line in [*reporting.closing(shown, again, Path("results") / f"{label}.json"), stuck(report.exercise)]:
        screen.line(f"   {line}")
    return out.getvalue()


def _whose(case: Case) -> str:
    return "the tree of make start" if case.kind == "start" else "all that it stands on is done, this one not yet"


def _in_work(report: Report, label: str) -> Report:
    """The same of a learner's tree: work/, with what is kept of it in results/, and no folder of this machine."""

    def there(text: str) -> str:
        return _PRIVATE.sub("…", text.replace(report.tree, str(DEFAULT)).replace(f"{ROOT}/", ""))

    def told(result: Result) -> Result:
        own = {name: there(value) for name, value in vars(result).items() if isinstance(value, str)}
        if result.file:
            own["file"] = f"results/{label}/{Path(result.file).name}"
        return replace(result, evidence=[there(line) for line in result.evidence], **own)  # type: ignore[arg-type]

    return replace(report, tree=str(DEFAULT), checks=[told(result) for result in report.checks])


def save(case: Case, report: Report) -> Path | None:
    """Writes check-NN.txt; None where the one that is there says the same but for what changes from run to run."""
    text, kept = written(case, report), path(case)
    if kept.exists() and normalised(kept.read_text()) == normalised(text):
        return None
    durable.write(kept, text.encode())
    return kept


def path(case: Case) -> Path:
    return TRANSCRIPTS / f"check-{case.exercise.label}.txt"


def is_model(case: Case) -> bool:
    """Whether it is the one whose transcript is kept: who has done what it stands on, and not it; on RQ."""
    own = "prerequisites" if case.exercise.toml.prerequisites else "start"
    return case.backend == "rq" and case.kind == own
