"""A timeline of what was seen, in the order of time: real ids, real times."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 8  # moments on the screen; all of them are in the file


@dataclass(frozen=True, order=True)
class Moment:
    """`at`: seconds since the epoch. `mark`: why this one matters, where it does."""

    at: float
    what: str
    mark: str = ""

    def line(self, since: float) -> str:
        return f"{self.at - since:7.3f}  {self.what}" + (f"   ← {self.mark}" if self.mark else "")


def render(moments: Sequence[Moment]) -> list[str]:
    """A line each; times are seconds since the first."""
    return [each.line(moments[0].at) for each in sorted(moments)]


def shortened(lines: Sequence[str]) -> list[str]:
    """At most SHOWN lines, those with a mark first among them, and a line for each gap."""
    if len(lines) <= SHOWN:
        return list(lines)
    kept = {number for number, line in enumerate(lines) if "   ← " in line}
    for number in (0, *range(len(lines) - 1, 0, -1)):
        if len(kept) >= SHOWN:
            break
        kept.add(number)
    chosen = sorted(kept)[:SHOWN]
    found: list[str] = []
    before = -1
    for number in chosen:
        if gap := number - before - 1:
            found.append(f"         … {gap} more")
        found.append(lines[number])
        before = number
    if gap := len(lines) - before - 1:
        found.append(f"         … {gap} more")
    return found


def calls(
    ledger: Mapping[str, Sequence[Mapping[str, Any]]], same: Callable[[Any], str] = lambda effect: effect["key"]
) -> list[Moment]:
    """Calls of a partner's ledger with the effects they had. Effects are `same` by what it returns: from the second on
    they are marked."""
    found = []
    effects = {effect["call"]: effect for effect in ledger["effects"]}
    seen: set[str] = set()
    for call in ledger["calls"]:
        worker = str(call.get("worker") or "?").rpartition(":")[2]
        key = call.get("idempotency_key")
        sent = f" Idempotency-Key={key}" if key and key != call["key"] else ""
        how = str(call["status"]) if call.get("status") else f"no answer ({call.get('broke') or 'still open'})"
        effect = effects.get(call["seq"])
        mark = ""
        if effect is not None:
            how += f", effect {effect.get('id', effect['key'])}"
            mark = "a second effect" if same(effect) in seen else ""
            seen.add(same(effect))
        elif call.get("replayed"):
            how += ", replayed: no new effect"
        found.append(Moment(call["at"], f"worker {worker}  {call['op']} {call['key']}{sent} → {how}", mark))
    return found


def job_events(database: str, job_ids: Iterable[str]) -> list[Moment]:
    """What the tree wrote of these jobs."""
    # Here, because whoever only prints a verdict has no use for a database, and would wait for its library.
    import psycopg

    statement = "SELECT extract(epoch FROM at)::float8, job_id, state, message FROM job_events WHERE job_id = ANY(%s)"
    with psycopg.connect(database, connect_timeout=20) as c:
        rows = c.execute(statement, (list(job_ids),)).fetchall()
    return [Moment(at, f"job {str(job)[:8]} {state}" + (f": {said}" if said else "")) for at, job, state, said in rows]
