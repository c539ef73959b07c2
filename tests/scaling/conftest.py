"""The system with an autoscaler, and its workers as they are seen from outside."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from accepted.ladder import REFERENCE
from accepted.stack import processes
from accepted.stack.run import Stack
from billing.seed import token

FLOOR, CAP, TAKES = 1, 4, 0.5  # replicas, replicas, seconds of an e-mail
ENV = {
    "AUTOSCALE": "local", "AUTOSCALE_AGE": "1.5", "AUTOSCALE_COOLDOWN": "3", "AUTOSCALE_STEP": "0.5",
    "AUTOSCALE_TICK": "0.2", "IO_SLOTS": "1", "IO_FLOOR": f"{FLOOR}", "IO_CAP": f"{CAP}", "CPU_CAP": "1",
    "WEB_WORKERS": "1", "LEASE": "30", "PARTNER_CONCURRENCY": "16",
}  # fmt: skip
PROCESSES = ["web", "relay", "worker-io", "scheduler", "autoscaler"]


class House:
    """What a test sees of it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.known: set[psutil.Process] = set()
        self._invoices: list[int] = []

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.stack.addresses.database, autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def delay(self, seconds: float) -> None:
        """How long the partner takes for an e-mail from now on."""
        rules = [{"match": {"op": "email"}, "do": {"delay": seconds}}]
        httpx.put(
            f"{self.stack.addresses.partner}/faults", json={"rules": rules}, trust_env=False, timeout=10
        ).raise_for_status()

    def emails(self, count: int) -> None:
        if not self._invoices:
            found = self.sql("SELECT id FROM invoices WHERE tenant_id = 'acme' AND status = 'open' ORDER BY id")
            self._invoices = [int(str(row[0])) for row in found]
        with httpx.Client(base_url=self.stack.addresses.web, trust_env=False, timeout=30) as client:
            for _ in range(count):
                path = f"/v1/invoices/{self._invoices.pop()}/email"
                answer = client.post(path, json={}, headers={"Authorization": f"Bearer {token('acme')}"})
                assert answer.status_code == 202, answer.text

    def workers(self) -> set[psutil.Process]:
        """Those that an autoscaler started, of whichever there was, and that are still there."""
        for pid in self.stack.runner.pids("autoscaler"):
            try:
                self.known |= set(psutil.Process(pid).children())
            except psutil.NoSuchProcess:
                continue
        return {one for one in self.known if not processes.gone(one)}

    def until(self, holds: Callable[[], bool], seconds: float = 300) -> None:
        assert processes.until(holds, seconds, pause=0.05), "it did not come to that"

    def keep_busy(self) -> None:
        """Asks for more before nobody waits any more."""
        if self.sql(f"SELECT count(*) < {CAP} FROM jobs WHERE state = 'queued'") == [(True,)]:
            self.emails(CAP)

    def own_at_work(self) -> None:
        """Until one of the autoscaler's workers has a job, however long they take to begin."""

        def at_work() -> bool:
            self.keep_busy()
            return self.running() > FLOOR

        self.until(at_work)

    def running(self) -> int:
        return int(str(self.sql("SELECT count(*) FROM jobs WHERE state = 'running'")[0][0]))

    def over(self) -> bool:
        return self.sql("SELECT count(*) FROM jobs WHERE state <> 'succeeded'") == [(0,)]


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Parameters: more of the environment, and how many autoscalers (`scalers`)."""
    more = dict(getattr(request, "param", {}))
    scale = {"autoscaler": more.pop("scalers", 1)}
    with Stack(
        REFERENCE, backend=more.pop("backend", "rq"), processes=PROCESSES, seed="small", env=ENV | more, scale=scale,
        runs=tmp_path / "runs", seconds=300,
    ) as stack:  # fmt: skip
        house = House(stack)
        house.delay(TAKES)
        yield house
