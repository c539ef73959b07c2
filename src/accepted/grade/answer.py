"""What came back for a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from accepted.grade.evidence import Moment
from accepted.grade.verdict import Broken


@dataclass(frozen=True)
class Answer:
    """`at`: seconds since the epoch. `status` is 0 where nothing did, and `error` says why."""

    request: str
    at: float
    ms: float
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=httpx.Headers)
    text: str = ""
    body: Any = None
    error: str = ""

    def __str__(self) -> str:
        if not self.status:
            return f"no answer in {self.ms / 1000:.1f} s ({self.error})"
        job = self.job
        return f"{self.status} in {self.ms:.0f} ms" + (f", job {job[:8]}" if job else "")

    @property
    def job(self) -> str | None:
        """The job's id, where the answer names one."""
        found = self.body.get("job") if isinstance(self.body, dict) else None
        return str(found["id"]) if isinstance(found, dict) and "id" in found else None

    @property
    def natural_key(self) -> str:
        """The job's. Raises Broken where the answer names none."""
        found = self.body.get("job") if isinstance(self.body, dict) else None
        if not isinstance(found, dict) or not isinstance(found.get("natural_key"), str):
            raise Broken(
                stimulus=self.request,
                rule="Whoever asks is told the job's id and its natural key (openapi.yaml).",
                difference=f"expected job.natural_key, found {self.text[:150]}",
                evidence=[self.moment("this one")],
                costs="Nobody can tell by the partner's ledger whether this was done, nor how often.",
                look="shared/routes.py; make hint-1",
            )
        return str(found["natural_key"])

    def moment(self, mark: str = "") -> Moment:
        return Moment(self.at, f"{self.request} → {self}", mark)
