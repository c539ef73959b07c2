"""accept: requests/s of POST /v1/reports beside a bare Flask route that makes two INSERTs in one transaction.

Counted: answers 202 to 32 keep-alive connections that each send their next request when the last is answered, without
Idempotency-Key (the route does not ask for one). p95 twice: with these 32 clients, and in open loop, both sides at
one rate of half of what the system does, latency from the time a request was due: that one is shown and not judged,
for both are single milliseconds there, and the promise is about a server under load. One gunicorn setting for both: of
several tried, the one in which both together do best. Nothing behind the web process runs.
"""

import httpx
import psycopg

from accepted.bench import bare_web
from accepted.bench.effective import servers
from accepted.bench.loading import Answers, load
from accepted.bench.measure import Bound, Figure, Invalid, middle, ratios
from accepted.bench.room import Room, paired
from accepted.stack import ports
from accepted.stack.child import Spec
from accepted.stack.health import Http
from accepted.stack.run import Stack
from billing.seed import PERIOD, token

BODY = {"format": "csv", "from": PERIOD[0].isoformat(), "to": PERIOD[1].isoformat()}
SETTINGS = ((2, 4), (2, 8), (2, 16))  # gunicorn workers × threads, gthread
LABEL = "POST"
AUTHORIZED = {"Authorization": f"Bearer {token('acme', 7)}"}


def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
    with Stack(room.tree, backend=room.backend, processes=["web"], seed="tiny") as stack:
        known = servers(stack.env)
        sides = _Sides(stack, room)
        best = sides.best()
        sides.use(*best)
        known["gunicorn"] = f"gthread, {best[0]} workers × {best[1]} threads, for both"
        pairs = paired(room.rounds, sides.system, sides.bare)
        slow = min(one.rate for one, _ in pairs) / 2
        room.say(f"accept: open loop, both at {slow:.0f} requests/s")
        paced = paired(room.rounds, lambda n: sides.system(n, slow), lambda n: sides.bare(n, slow))
    return [
        Figure(
            "accept", "requests/s, 32 clients", "×", ratios([(one.rate, other.rate) for one, other in pairs]),
            Bound("least", 0.5), f"{middle([one.rate for one, _ in pairs]):,.0f}/s",
            f"{middle([other.rate for _, other in pairs]):,.0f}/s",
        ),
        _p95("p95, 32 clients", pairs, Bound("most", 2.0)),
        _p95(f"p95, open loop at {slow:.0f}/s", paced, Bound("shown")),
    ], known  # fmt: skip


def _p95(what: str, pairs: list[tuple[Answers, Answers]], bound: Bound) -> Figure:
    found = [(one.p95(LABEL), other.p95(LABEL)) for one, other in pairs]
    shown = [f"{middle(side):.1f} ms" for side in zip(*found, strict=True)]
    return Figure("accept", what, "×", ratios(found), bound, *shown)


class _Sides:
    """The system's web process and the bare one, on one database, never busy at the same time."""

    def __init__(self, stack: Stack, room: Room) -> None:
        self.stack, self.room, self.runner = stack, room, stack.runner
        with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
            connection.execute(bare_web.TABLES)
        first = httpx.post(
            f"{stack.addresses.web}/v1/reports", json=BODY, headers=AUTHORIZED, trust_env=False, timeout=10
        )
        if first.status_code != 202:
            raise Invalid(f"POST /v1/reports was answered with {first.status_code}: {first.text[:200]}")
        # Both are started anew for each setting, and read the same two variables.
        self.port = ports.free_port()
        command = (
            f"gunicorn --bind 127.0.0.1:{self.port} --workers $WEB_WORKERS --worker-class gthread "
            "--threads $WEB_THREADS --graceful-timeout 10 --keep-alive 75 --log-level warning "
            "accepted.bench.bare_web:app"
        )
        env = {"BARE_BYTES": str(len(first.content))}
        self.runner.add(Spec("bare-web", command, health=Http(self.port), env=env))

    def best(self) -> tuple[int, int]:
        """Of SETTINGS, the one with the highest product of both sides' rates."""
        found: dict[tuple[int, int], float] = {}
        for workers, threads in SETTINGS[: self.room.scaled(len(SETTINGS), 1)]:
            self.use(workers, threads)
            one, other = (self._load(side, self.room.scaled(20, 8) / 10, None) for side in ("system", "bare"))
            found[workers, threads] = one.rate * other.rate
            self.room.say(f"accept: gunicorn {workers} × {threads}: {one.rate:,.0f}/s beside {other.rate:,.0f}/s")
        return max(found, key=lambda setting: found[setting])

    def use(self, workers: int, threads: int) -> None:
        """Starts both with this setting."""
        self.runner.env |= {"WEB_WORKERS": str(workers), "WEB_THREADS": str(threads)}
        for each in ("web", "bare-web"):
            self.runner.stop(each)
            self.runner.start(each)
        for each in ("web", "bare-web"):
            self.runner.wait_healthy(30, each)

    def system(self, number: int, rate: float | None = None) -> Answers:
        return self._round("system", number, rate)

    def bare(self, number: int, rate: float | None = None) -> Answers:
        return self._round("bare", number, rate)

    def _round(self, side: str, number: int, rate: float | None) -> Answers:
        found = self._load(side, self.room.scaled(4, 2), rate)
        self.room.say(
            f"accept: round {number} of {self.room.rounds}, {side:<6} {found.rate:>6,.0f}/s, "
            f"p95 {found.p95(LABEL):.1f} ms (the generator took {found.generator:.0%} of a core)"
        )
        return found

    def _load(self, side: str, seconds: float, rate: float | None) -> Answers:
        port, path = (self.stack.addresses.web_port, "/v1/reports") if side == "system" else (self.port, "/reports")
        request = {"label": LABEL, "method": "POST", "path": path, "headers": AUTHORIZED, "body": BODY}
        return load(self.runner, port, [request], seconds=seconds, rate=rate, expect={LABEL: "202"})
