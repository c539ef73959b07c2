"""Short names for SQL statements, so that a crossing reads like what it does."""

import re
from functools import lru_cache

# The first that is found in the statement (lower case, one blank between words) names it. Any other statement is named
# by its own first words, so a tree that words its statements differently has names as well.
_NAMES = [
    (re.compile(pattern), name)
    for pattern, name in (
        (r"pg_try_advisory_xact_lock\( ?7101, ?1 ?\)", "lead the relays"),
        (r"pg_try_advisory_xact_lock\( ?7101, ?2 ?\)", "lead the schedulers"),
        (r"pg_try_advisory_xact_lock", "lock the key"),
        (r"pg_try_advisory_lock", "take a slot"),
        (r"pg_advisory_unlock_all", "free the slot"),
        (r"\bwanted as \(", "add to the outbox"),
        (r"\bwith coming as \(", "ask for a message"),
        (r"\bwith candidate as \(", "look for lost messages"),
        (r"update outbox set published_at = null", "publish again"),
        (r"update outbox set published_at", "mark published"),
        (r"update outbox set attempts", "defer"),
        (r"select distinct aggregate from outbox", "look for deferred rows"),
        (r"from outbox o join jobs", "claim outbox rows"),
        (r"insert into broker_epoch", "store the epoch"),
        (r"from broker_epoch", "read the epoch"),
        (r"set state = 'running', fence = fence \+ 1", "claim the job"),
        (r"lease_until < now\(\)", "take ended leases"),
        (r"\bwith due as \(", "promote due retries"),
        (r"set lease_until = least", "renew the lease"),
        (r"select 1 from jobs where id = .* for no key update", "hold the job"),
        (r"set_config\(.*from jobs", "check the fence"),
        (r"failures = failures \+ 1", "record a failure"),
        (r"deliveries = deliveries - 1", "give the job back"),
        (r"result = cast\(.*finished_at = clock_timestamp", "record success"),
        (r"update jobs set state = .*finished_at = clock_timestamp", "record the end"),
        (r"update jobs set state = .*event_seq = event_seq \+ 1", "record progress"),
        (r"insert into effects", "intend the effect"),
        (r"update effects set receipt", "store the receipt"),
        (r"from effects", "read the receipt"),
        (r"insert into job_steps", "store a step"),
        (r"from job_steps", "read finished steps"),
        (r"update reports set artifact_key", "point at the artifact"),
        (r"update payouts set provider_id", "note the charge"),
        (r"insert into idempotency_keys", "keep the answer"),
        (r"from idempotency_keys", "look up the key"),
        (r"insert into dead_letters", "park the job"),
        (r"^copy ", "copy rows"),
        (r"from tenants", "know the tenant"),
        (r"insert into payouts", "write the payout"),
        (r"insert into emails", "write the e-mail"),
        (r"insert into webhook_events", "write the event"),
        (r"insert into reports", "write the report"),
    )
]
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.S)
_TABLE = re.compile(r"\b(?:from|into|update|join) (?:only )?\"?([a-z_][a-z0-9_.]*)")
_WRITES = re.compile(r"\b(insert into|update|delete from)\b(?! of\b)")


@lru_cache(maxsize=1024)  # a system has a few hundred statements, and says them again and again
def normal(sql: str) -> str:
    """Lower case, one blank between words, no comments."""
    return " ".join(_COMMENT.sub(" ", sql).lower().split())


@lru_cache(maxsize=1024)
def name_of(sql: str) -> str:
    """What the statement does, in two to four words."""
    text = normal(sql)
    for pattern, name in _NAMES:
        if pattern.search(text):
            return name
    words = text.split()
    if not words:
        return "nothing"
    table = _TABLE.search(text)
    if words[0] in ("select", "with", "insert", "update", "delete") and table:
        return f"{words[0]} {table[1]}"
    return " ".join(words[:3]).rstrip(";")


@lru_cache(maxsize=1024)
def writes(sql: str) -> bool:
    """Whether the statement changes rows."""
    return _WRITES.search(normal(sql).replace("for no key update", "").replace("for update", "")) is not None


class Transactions:
    """Names statements in their order on one connection: a commit is named after what it makes true."""

    def __init__(self) -> None:
        self._last = ""
        self._wrote = False

    def name(self, sql: str) -> str:
        first = normal(sql).split(" ", 1)[0].rstrip(";")
        if first in ("begin", "start"):
            self._last, self._wrote = "", False
            return "begin"
        if first in ("commit", "rollback", "end"):
            of, self._last, self._wrote = self._last, "", False
            verb = "rollback" if first == "rollback" else "commit"
            return f"{verb} ({of})" if of else verb
        name, wrote = name_of(sql), writes(sql)
        if wrote or not self._wrote:
            self._last, self._wrote = name, wrote
        return name
