"""Which dead letters an operator means."""

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

OPEN = "requeued_at IS NULL AND purged_at IS NULL"

_COLUMNS = {
    "queue": "d.queue = :queue",
    "kind": "d.kind = :kind",
    "tenant": "d.tenant_id = :tenant",
    "endpoint": "d.endpoint = :endpoint",
    "trace": "d.trace_id = :trace",
    "error": "d.error_class = :error",
    "ids": "d.id = ANY(:ids)",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """All that is given must hold; nothing given means every letter. `ids` are the letters' numbers."""

    queue: str | None = None
    kind: str | None = None
    tenant: str | None = None
    endpoint: str | None = None
    trace: str | None = None
    error: str | None = None
    ids: tuple[int, ...] = ()

    def given(self) -> dict[str, Any]:
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}

    def where(self) -> tuple[str, dict[str, Any]]:
        """A condition on `dead_letters d`, and the values to bind."""
        given = self.given()
        if "ids" in given:
            given["ids"] = list(self.ids)
        return " AND ".join(_COLUMNS[name] for name in given) or "true", given

    def describe(self) -> str:
        """For the audit."""
        return (
            " ".join(f"{name}={','.join(map(str, v)) if name == 'ids' else v}" for name, v in self.given().items())[
                :500
            ]
            or "all"
        )

    def lock(self, s: Session) -> list[Row[Any]]:
        """Rows (id, job_id, closed, state of the job), locked so that two operators at once don't act twice. Closed
        letters are only among them if they were named by number."""
        where, values = self.where()
        if not self.ids:
            where = f"{OPEN} AND {where}"
        statement = text(f"""
            SELECT d.id, d.job_id, NOT ({OPEN}) AS closed, j.state
            FROM dead_letters d LEFT JOIN jobs j ON j.id = d.job_id
            WHERE {where} ORDER BY d.id FOR UPDATE OF d""")
        return list(s.execute(statement, values))

    def unknown(self, s: Session) -> list[tuple[int, str]]:
        """Of the numbers given, those that no letter has."""
        if not self.ids:
            return []
        statement = text(
            "SELECT n FROM unnest(CAST(:ids AS bigint[])) AS n WHERE n NOT IN (SELECT id FROM dead_letters)"
        )
        return [(number, "unknown") for number in s.execute(statement, {"ids": list(self.ids)}).scalars()]
