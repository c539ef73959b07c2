"""What came back for a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from accepted.grade.evidence import Moment


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

    def moment(self, mark: str = "") -> Moment:
        return Moment(self.at, f"{self.request} → {self}", mark)
