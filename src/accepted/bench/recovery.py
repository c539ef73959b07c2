"""recovery: how soon a killed worker's job runs again, with every timing as shipped.

A payout is accepted over HTTP, and the partner holds its first call. Some time into that call, at another point of the
lease each time, the job's worker is killed by SIGKILL with its whole tree; a second one stands ready. Counted: from the
moment before the kill to the job's next `running` event, both by PostgreSQL's clock. It is a promise about every kill,
so the slowest is judged. A kill whose job did not run, or that left a process alive, makes the run invalid; and so does
a job that did not succeed then, with one charge.
"""

import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, LiteralString

import httpx
import psutil
import psycopg

from accepted.bench.accept import AUTHORIZED
from accepted.bench.effective import servers
from accepted.bench.measure import Bound, Figure, Invalid
from accepted.bench.room import Room
from accepted.stack import processes
from accepted.stack.run import Stack

WORKER = "worker-io"
SYSTEM = ("web", "relay", "scheduler", WORKER)
AS_SHIPPED = ("LEASE", "TIME_BOX", "REAPER_PERIOD", "RELAY_POLL", "PARTNER_TIMEOUT")
WITHIN = 20.0  # s: twice the lease
LATEST = 3.0  # s into the call; it would be given up after PARTNER_TIMEOUT
PATIENCE = 60.0  # s for the job to run again and to end
FEWEST = 3  # kills
TENANT = "acme"

_AGAIN = """
SELECT extract(epoch FROM e.at - %(killed)s) FROM job_events e
WHERE e.job_id = %(id)s AND e.state = 'running' AND e.seq > %(seq)s ORDER BY e.seq LIMIT 1
"""


def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
    if changed := [name for name in AS_SHIPPED if name in os.environ]:
        raise Invalid(f"recovery: it is measured as shipped, and {', '.join(changed)} is set")
    with (
        Stack(
            room.tree, backend=room.backend, processes=SYSTEM, scale={WORKER: 2}, seed="tiny", env={"IO_SLOTS": "1"}
        ) as stack,
        psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection,
    ):
        known = servers(stack.env)
        scene = _Scene(stack, connection)
        waits = []
        for number in range(1, room.scaled(max(room.rounds, FEWEST), 1) + 1):
            into, wait = scene.kill()
            waits.append(wait)
            room.say(f"recovery: kill {number}, {into:.1f} s into the call: the job ran again after {wait:.1f} s")
    bound = Bound("most", WITHIN, every=True)
    return [
        Figure(
            "recovery", "a killed worker's job runs again", "s", waits, bound, f"{max(waits):.1f} s", "at the slowest"
        )
    ], known


def _pid(worker: object) -> int:
    """Of a worker's name, `host:pid`."""
    return int(str(worker).rsplit(":", 1)[1])


@dataclass(frozen=True)
class _Running:
    """A job under way: its latest event, and the process that holds it."""

    seq: int
    pid: int


class _Scene:
    def __init__(self, stack: Stack, connection: psycopg.Connection) -> None:
        self.stack, self.runner, self.connection = stack, stack.runner, connection
        self.random = random.Random(7)
        self.names = [child.name for child in self.runner.children() if child.spec.name == WORKER]
        find = "SELECT id FROM payout_accounts WHERE tenant_id = %s AND currency = 'EUR' ORDER BY id LIMIT 4"
        self.accounts = [row[0] for row in connection.execute(find, (TENANT,))]
        self.references = (f"recovery-{number}" for number in count(1))

    def kill(self) -> tuple[float, float]:
        """One kill: how many seconds into the call it came, and after how many the job ran again."""
        self._both_ready()
        reference = next(self.references)
        self._partner("PUT", "/faults", {"rules": [{"match": {"op": "charge"}, "calls": [1], "do": {"hang": True}}]})
        job_id = self._ask(self.accounts[0], reference)
        self._wait("the partner was not called", lambda: self._called(reference))
        into = self.random.uniform(0, LATEST)
        time.sleep(into)
        held = self._held(job_id)
        name = self._instance(held.pid)
        targets = self._tree(name)
        (killed,) = self._row("SELECT clock_timestamp()")
        self.runner.kill(name)
        if not processes.until(lambda: all(map(processes.gone, targets)), 5):
            raise Invalid(f"recovery: not all of {name} was dead within 5 s")
        values = {"id": job_id, "seq": held.seq, "killed": killed}
        self._wait("the job did not run again", lambda: self._row(_AGAIN, **values) != (None,))
        (wait,) = self._row(_AGAIN, **values)
        self._wait("the job did not succeed", lambda: self._state(job_id) == "succeeded")
        charges = len(self._ledger(reference)["effects"])
        between = self._row("SELECT state FROM job_events WHERE job_id = %s AND seq = %s", job_id, held.seq + 1)
        if charges != 1 or between != ("queued",):
            raise Invalid(f"recovery: {charges} charges, and after the kill the job was {between[0]}")
        return into, float(str(wait))

    def _both_ready(self) -> None:
        """Both have held a job at once: whichever is killed, the other is no beginner."""
        self._partner("PUT", "/faults", {"rules": [{"match": {"op": "charge"}, "do": {"delay": 0.5}}]})

        def both() -> bool:
            ids = [self._ask(account) for account in self.accounts]
            seen: set[str] = set()

            def over() -> bool:
                rows = self.connection.execute("SELECT state, worker FROM jobs WHERE id = ANY(%s)", (ids,)).fetchall()
                seen.update(self._instance(_pid(worker), known=False) for state, worker in rows if state == "running")
                return all(state == "succeeded" for state, _ in rows)

            self._wait("the workers are not ready", over)
            return seen >= set(self.names)

        self._wait("only one of two workers does anything", both)

    def _held(self, job_id: str) -> _Running:
        state, seq, worker = self._row("SELECT state, event_seq, worker FROM jobs WHERE id = %s", job_id)
        if state != "running":
            raise Invalid(f"recovery: the job was to be killed while it runs, and it is {state}")
        return _Running(int(str(seq)), _pid(worker))

    def _instance(self, pid: int, known: bool = True) -> str:
        """The instance to whose tree this process belongs; one that has ended belongs to none (`known`: Invalid)."""
        for name in self.names:
            if pid in {process.pid for process in self._tree(name)}:
                return name
        if known:
            raise Invalid(f"recovery: process {pid}, which has the job, is in no worker's tree")
        return ""

    def _tree(self, name: str) -> set[psutil.Process]:
        found = set()
        for pid in self.runner.pids(name):
            with suppress(psutil.NoSuchProcess):  # the runner may be at starting it again
                found |= processes.tree([psutil.Process(pid)])
        return found

    def _ask(self, account: int, reference: str | None = None) -> str:
        """The id of a new payout's job."""
        reference = reference or next(self.references)
        body = {"account_id": account, "amount_cents": 12_500, "currency": "EUR", "reference": reference}
        url = f"{self.stack.addresses.web}/v1/payouts"
        headers = {**AUTHORIZED, "Idempotency-Key": f'"{reference}"'}
        answer = httpx.post(url, json=body, headers=headers, timeout=10, trust_env=False)
        if answer.status_code != 202:
            raise Invalid(f"recovery: POST /v1/payouts was answered with {answer.status_code}: {answer.text[:200]}")
        return str(answer.json()["job"]["id"])

    def _ledger(self, reference: str) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = self._partner("GET", f"/ledger?kind=charge&key={TENANT}:payout:{reference}:1")
        return found

    def _called(self, reference: str) -> bool:
        return any(call["op"] == "charge" for call in self._ledger(reference)["calls"])

    def _partner(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self.stack.addresses.partner}{path}"
        return httpx.request(method, url, json=body, timeout=10, trust_env=False).raise_for_status().json()

    def _state(self, job_id: object) -> object:
        return self._row("SELECT state FROM jobs WHERE id = %s", job_id)[0]

    def _wait(self, otherwise: str, condition: Callable[[], bool]) -> None:
        if not processes.until(condition, PATIENCE, pause=0.05):
            raise Invalid(f"recovery: {otherwise} within {PATIENCE:.0f} s")

    def _row(self, query: LiteralString, *values: object, **named: object) -> tuple[object, ...]:
        return self.connection.execute(query, named or values).fetchone() or (None,)
