"""streams: 2,000 open event streams on one `stream` process, with 50 events a second among them.

Counted: every event's way from its commit to its client; one that is missing makes the round invalid. And what the
streams cost the API: 40 GET /jobs/<id> and 10 POST /v1/reports a second in open loop, p95 from the time each was due,
with the streams open and without any, in turns. The 50 events a second are written on both sides.
"""

from uuid import UUID

import psycopg

from accepted.bench import work_rows
from accepted.bench.accept import AUTHORIZED, BODY
from accepted.bench.aside import Aside
from accepted.bench.effective import servers
from accepted.bench.loading import Answers, load
from accepted.bench.measure import Bound, Figure, Invalid, middle, percentile, ratios
from accepted.bench.room import Room, paired
from accepted.stack.run import Stack
from billing.seed import token

EVENTS = 50.0  # a second
REQUESTS = 50.0  # a second
LINGER = 2.0  # seconds after the last event, in which a late one is late and not missing


def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
    with Stack(room.tree, backend=room.backend, processes=["web", "stream"], seed="tiny") as stack:
        with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
            job_ids = work_rows.accept(connection, room.scaled(2_000, 500), publish=False)
            work_rows.settle(connection)
        sides = _Sides(stack, room, job_ids)
        sides.warm_up()
        pairs = paired(room.rounds, sides.crowded, sides.alone)
        known = servers(stack.env)
    events = [percentile(waits, 0.95) for (_, waits), _ in pairs]
    figures = [
        Figure(
            "streams", f"event to client, {len(job_ids):,} streams, p95", "ms", events, Bound("most", 250.0),
            f"{middle(events):.0f} ms", f"{sum(len(waits) for (_, waits), _ in pairs)} events",
        )
    ]  # fmt: skip
    for label in ("GET", "POST"):
        p95 = [(one.p95(label), other.p95(label)) for (one, _), other in pairs]
        shown = [f"{middle(side):.1f} ms" for side in zip(*p95, strict=True)]
        what = f"API p95, {label}, with and without"
        figures.append(Figure("streams", what, "×", ratios(p95), Bound("most", 1.5), *shown))
    return figures, known


class _Sides:
    def __init__(self, stack: Stack, room: Room, job_ids: list[UUID]) -> None:
        self.stack, self.room, self.job_ids = stack, room, [str(each) for each in job_ids]
        self.seconds = float(room.scaled(12, 11))

    def warm_up(self) -> None:
        """Every thread of web gets its connection before the clock."""
        self._api(2.0)

    def alone(self, number: int) -> Answers:
        found, _ = self._busy()
        self._say(number, "no streams", found, "")
        return found

    def crowded(self, number: int) -> tuple[Answers, list[float]]:
        spec = {"port": self.stack.addresses.stream_port, "token": token("acme", 7), "job_ids": self.job_ids}
        with Aside(self.stack.runner, "stream_clients", spec) as clients:
            opened = clients.hear(90)
            if opened["open"] != len(self.job_ids):
                raise Invalid(f"streams: {opened['open']:,} of {len(self.job_ids):,} streams were opened")
            found, written = self._busy()
            clients.tell({"events": written, "within": LINGER})
            heard = clients.hear(20)
        if heard["lost"] or len(heard["waits"]) != written:
            raise Invalid(f"streams: {heard['lost']} were cut, and {len(heard['waits'])} of {written} events arrived")
        waits: list[float] = heard["waits"]
        took = f", events p95 {percentile(waits, 0.95):.0f} ms; opened in {opened['seconds']:.1f} s"
        self._say(number, f"{opened['open']:,} streams", found, took)
        return found, waits

    def _busy(self) -> tuple[Answers, int]:
        """Events and requests at once."""
        spec = {
            "database": self.stack.env["DATABASE_URL"], "job_ids": self.job_ids, "rate": EVENTS,
            "seconds": self.seconds,
        }  # fmt: skip
        with Aside(self.stack.runner, "event_writer", spec) as writer:
            found = self._api(self.seconds)
            told = writer.hear(20)
        return found, int(told["written"])

    def _api(self, seconds: float) -> Answers:
        show = {"label": "GET", "method": "GET", "path": f"/jobs/{self.job_ids[0]}", "headers": AUTHORIZED}
        post = {"label": "POST", "method": "POST", "path": "/v1/reports", "headers": AUTHORIZED, "body": BODY}
        port, expect = self.stack.addresses.web_port, {"GET": "200", "POST": "202"}
        mix = [show, show, show, show, post]
        return load(self.stack.runner, port, mix, seconds=seconds, rate=REQUESTS, warm_up=0, expect=expect)

    def _say(self, number: int, side: str, found: Answers, more: str) -> None:
        self.room.say(
            f"streams: round {number} of {self.room.rounds}, {side:<13} API p95 GET {found.p95('GET'):.1f} ms, "
            f"POST {found.p95('POST'):.1f} ms{more}"
        )
