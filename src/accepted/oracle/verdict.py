"""What the oracle answers."""

from dataclasses import dataclass
from typing import Literal

Flaw = Literal["lost", "duplicate", "phantom", "out of order", "stuck", "illegal", "refused"]
FLAWS: tuple[Flaw, ...] = ("lost", "duplicate", "phantom", "out of order", "stuck", "illegal", "refused")


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: which, about what, and how it shows."""

    flaw: Flaw
    about: str
    how: str

    def __str__(self) -> str:
        return f"{self.flaw}: {self.about}: {self.how}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`unknown` says why nothing can be said of what was not found; None where all was judged."""

    findings: tuple[Finding, ...] = ()
    unknown: str | None = None

    @property
    def outcome(self) -> Literal["pass", "fail", "unknown"]:
        """What was found stands, whatever could not be judged; never a pass by silence."""
        if self.findings:
            return "fail"
        return "unknown" if self.unknown else "pass"

    def count(self, flaw: Flaw) -> int:
        return sum(one.flaw == flaw for one in self.findings)
