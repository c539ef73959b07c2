"""report.export: every invoice line of a period as a file, in steps query → render → upload.

Each rendered part is a durable step, so a kill costs one part; a report of many time boxes goes on from box to box.
"""

from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import Any

from sqlalchemy.orm import Session

from billing.db import unit
from billing.render import Report, count_lines
from billing.storage import NoSuchUpload, PartChanged, Upload

from .. import artifacts, effects, progress, steps
from ..core import Claim, Receipt
from ..steps import Step
from . import rows

RENDER = (5, 90)  # percent of the job
TELL = 0.25  # seconds between two events of how far a PDF is
_REPORT = "SELECT format, period_from, period_to FROM reports WHERE id = :id AND tenant_id = :tenant"
Output = dict[str, Any]


def export(claim: Claim) -> Output:
    """Writes the file and points at it; the result holds figures only, the way to the file is signed elsewhere."""
    with unit() as s:
        found = rows.row(s, _REPORT, id=claim.job.args["report_id"], tenant=claim.job.tenant_id)
    report = Report(claim.job.tenant_id, found["period_from"], found["period_to"])
    render = _pdf if found["format"] == "pdf" else _csv
    query = Step("query", partial(_query, claim, report, found["format"]), "counted")
    plan = steps.run(claim, [query], (0, RENDER[0]), more=True)["query"]
    upload = Upload(plan["key"], plan["upload"])
    parts = plan["parts"]
    todo = [
        Step(f"render:{n}", partial(render, claim, report, upload, cut), f"rendered part {n} of {len(parts)}")
        for n, cut in enumerate(parts, 1)
    ]
    try:
        rendered = steps.run(claim, todo, RENDER, more=True)
        refs = [artifacts.Ref(n, rendered[f"render:{n}"]["etag"]) for n in range(1, len(parts) + 1)]
        last = Step("upload", partial(_upload, claim, upload, refs), "uploaded", commit=partial(_point, claim))
        done = steps.run(claim, [last], (RENDER[1], 99))["upload"]
    except (PartChanged, NoSuchUpload) as error:
        # A frozen predecessor woke and wrote a part over ours, or the upload was swept as an orphan. What was
        # rendered can't be trusted: start from the first step, with an upload of our own.
        artifacts.store().abort(upload)
        steps.forget(claim)
        raise PartChanged("another run has touched the upload; the report starts over") from error
    return {"report_id": str(claim.job.args["report_id"]), "lines": plan["lines"], "bytes": done["bytes"]}


def _query(claim: Claim, report: Report, form: str) -> Output:
    """Pins what will be rendered: ranges of invoices, each a part of the upload that begins here."""
    from billing.render import csv

    with unit() as s:
        if form == "csv":
            parts = [[one.part, one.first_id, one.last_id, one.lines] for one in csv.plan(s, report, csv.PART_BYTES)]
        else:
            parts = [[1, 0, 0, count_lines(s, report)]]
    upload = artifacts.begin(claim, form)
    return {"key": upload.key, "upload": upload.id, "parts": parts, "lines": sum(one[3] for one in parts)}


def _csv(claim: Claim, report: Report, upload: Upload, cut: list[int]) -> Output:
    from billing.render import csv

    with unit() as s:
        ref = artifacts.part(upload, cut[0], csv.render_range(s, report, csv.Range(*cut)))
    return {"etag": ref.etag, "lines": cut[3]}


def _pdf(claim: Claim, report: Report, upload: Upload, cut: list[int]) -> Output:
    # Imported here: the fonts and tables of a PDF are no burden for workers that never make one.
    from billing.render import pdf

    with unit() as s:
        contents = pdf.read(s, report)
    file = pdf.render(contents, _Told(claim))
    return {"etag": artifacts.part(upload, cut[0], _blocks(file)).etag, "lines": cut[3]}


class _Told:
    """Records how far a PDF is, four times a second at most: an event for each page would cost more than the page."""

    def __init__(self, claim: Claim) -> None:
        self.claim, self.next = claim, monotonic() + TELL

    def __call__(self, done: int, total: int) -> None:
        if monotonic() >= self.next and total:
            self.next = monotonic() + TELL
            percent = RENDER[0] + (RENDER[1] - RENDER[0]) * done // total
            with unit() as s:
                progress.record(s, self.claim.job.id, "running", min(percent, RENDER[1]), "rendering", self.claim.fence)


def _blocks(file: bytes, size: int = 256 * 1024) -> Iterator[bytes]:
    for at in range(0, len(file), size):
        yield file[at : at + size]


def _upload(claim: Claim, upload: Upload, refs: list[artifacts.Ref]) -> Output:
    def complete(key: str) -> Receipt:
        return Receipt(upload.key, {"bytes": artifacts.finish(upload, refs)})

    receipt = effects.once(claim.job.natural_key, complete, claim=claim)
    if receipt.reference != upload.key:  # the file was made by an earlier run of the same report
        artifacts.store().abort(upload)
    return {"key": receipt.reference, "bytes": receipt.detail["bytes"]}


def _point(claim: Claim, s: Session, output: Output) -> None:
    artifacts.point(s, claim, output["key"], output["bytes"])
