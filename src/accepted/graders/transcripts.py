"""docs/transcripts/: what a learner reads when a check fails, with all that changes from run to run made equal."""

import io
import re
from pathlib import Path

from accepted import durable
from accepted.check import report as reporting
from accepted.demo.screen import Screen
from accepted.grade.engine import Report
from accepted.graders.cases import Case
from accepted.ladder import ROOT

TRANSCRIPTS = ROOT / "docs" / "transcripts"
_HEX = r"[0-9a-f]"
_RULES: tuple[tuple[str, str], ...] = (
    (r"\b(\w+://)[^\s,)]*", r"\1…"),
    (r"(/[\w.+-]+)*/(results|accepted-[\w-]+|tmp)(/[\w.+-]+)*(/[\w.-]+\.(txt|log))", r"results\4"),
    (r"\bresults/graders/(\d\d)-[\w-]+/", r"results/\1/"),
    (r"/tmp/[\w./+-]+", "…"),  # noqa: S108 - a pattern, not a place
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
    """Ids, times, ports and paths give way to what they are."""
    text = STAMP.sub(lambda found: f"{found[1]}{'<t>':>{len(found[2])}}  ", text)  # what comes after keeps its column
    for pattern, instead in _RULES:
        text = re.sub(pattern, instead, text)
    return text


def written(case: Case, report: Report) -> str:
    """The screen of `accepted check`, as it stands without colours."""
    out = io.StringIO()
    screen = Screen(out)
    screen.line(f"$ accepted check {report.exercise} --backend {report.backend}   # {_whose(case)}")
    screen.line(f"{case.exercise.title}   backend {report.backend}, seed {report.seed}")
    told = reporting.Told(screen, max(map(len, case.exercise.toml.checks)))
    for result in report.checks:
        told(result)
    for line in reporting.closing(report, f"accepted check {report.exercise} --seed {report.seed}",
                                  Path("results") / f"{case.exercise.label}.json"):  # fmt: skip
        screen.line(f"   {line}")
    return normalised(out.getvalue())


def _whose(case: Case) -> str:
    return "the tree of make start" if case.kind == "start" else "everything below it done, this one not yet"


def save(case: Case, report: Report) -> Path:
    """Writes check-NN.txt."""
    durable.write(path(case), written(case, report).encode())
    return path(case)


def path(case: Case) -> Path:
    return TRANSCRIPTS / f"check-{case.exercise.label}.txt"


def is_model(case: Case) -> bool:
    """Whether it is the one whose transcript is kept: who has done all below, and not this one; on RQ."""
    own = "prerequisites" if case.exercise.toml.prerequisites else "start"
    return case.backend == "rq" and case.kind == own
