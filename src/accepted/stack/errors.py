"""What a person reads when something of the stack cannot go on."""

from collections.abc import Iterable
from typing import Any


class Problem(Exception):
    """One line for a person: what happened, why, and the command or setting that cures it.

    `details` are lines worth seeing under it, such as the end of a log.
    """

    def __init__(self, what: str, why: str, cure: str, details: Iterable[str] = ()) -> None:
        self.what, self.why, self.cure = what, why, cure
        self.details = tuple(details)
        super().__init__(f"{what}: {why}. {cure}")

    def report(self) -> str:
        """The line, and the details indented under it."""
        return "\n".join([str(self), *(f"    {line}" for line in self.details)])

    def as_dict(self) -> dict[str, Any]:
        """The same for a program: what, why and cure as text, details as lines."""
        return {"what": self.what, "why": self.why, "cure": self.cure, "details": list(self.details)}


def cannot_write(path: object, error: OSError) -> Problem:
    """The problem of a folder or file that this user may not write."""
    why = error.strerror or str(error)
    return Problem(
        f"cannot write {path}",
        why[:1].lower() + why[1:],
        "Make it writable for you, or work in a folder of yours.",
    )
