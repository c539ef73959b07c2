"""Clients of the event stream, as browsers are: they read what comes, and come back with the last id that they had."""

import json
import socket
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from accepted.grade.evidence import Moment
from accepted.grade.stage import Stage
from billing.seed import token

LOOK_UP = 0.1  # s after which a client that hears nothing looks whether it is to stop
CONNECT = 30.0  # s
SILENCE = 8.0  # s, where SSE_HEARTBEAT is half of one
AGAIN, LATER = 20, 0.5  # times that "not now" is taken for an answer, s apart
OVER = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Event:
    """As it arrived (`at`, seconds since the epoch) on the client's connection of that number."""

    at: float
    id: str | None
    data: dict[str, Any]
    connection: int

    @property
    def key(self) -> tuple[str, int]:
        """Which event of which job; 0 where it doesn't say."""
        return str(self.data.get("job_id", "")), int(self.data.get("seq") or 0)

    @property
    def seen(self) -> tuple[str, int]:
        """State and percent."""
        return str(self.data.get("state")), int(self.data.get("percent") or 0)

    def moment(self, who: str, mark: str = "") -> Moment:
        job, seq = self.key
        state, percent = self.seen
        told = f"{who} hears: id {self.id}, job {job[:8]} event {seq}, {state} {percent} %"
        return Moment(self.at, f"{told}, connection {self.connection}", mark)


@dataclass
class Connection:
    """One request. `last_id`: what it was resumed from. `ended`: the server closed it."""

    last_id: str | None
    status: int = 0
    ended: bool = False
    comments: list[float] = field(default_factory=list)
    at: float = field(default_factory=time.time)


class Listener(threading.Thread):
    """Follows a stream until `stop()`, its end or an answer other than 200. With `cut` it hangs up after so many events
    each time, and comes back with the last id. Who is told to come back later (503) does so, a number of times."""

    def __init__(
        self, stage: Stage, path: str, tenant: str | None, *, cut: int = 0, last_id: str | None = None
    ) -> None:
        super().__init__(name=f"listens to {path}", daemon=True)
        self.path, self.tenant, self.cut, self.last_id = path, tenant, cut, last_id
        self.events: list[Event] = []
        self.connections: list[Connection] = []
        self.told = threading.Event()  # it was answered, whatever the answer
        self._at = urlsplit(stage.stack.addresses.stream)
        self._leave = threading.Event()

    @property
    def status(self) -> int:
        """Of its last connection."""
        return self.connections[-1].status if self.connections else 0

    @property
    def over(self) -> bool:
        """Whether it heard of the job's end."""
        return any(event.seen[0] in OVER for event in self.events)

    def still(self, seconds: float) -> bool:
        """Whether its stream has told nothing new for so long: comments, events once more, or not even these."""
        news: dict[tuple[str, int], float] = {}
        for event in list(self.events):
            news.setdefault(event.key, event.at)
        since = [*(one.at for one in self.connections[:1]), *news.values()]
        return self.told.is_set() and time.time() - max(since) > seconds

    def stop(self) -> "Listener":
        self._leave.set()
        self.join(CONNECT + 5)
        return self

    def quiet(self, until: float) -> list[float]:
        """The times (s) in which nothing at all came, on any one connection that was open, the longest last."""
        found = [0.0]
        for number, one in enumerate(self.connections):
            end = self.connections[number + 1].at if number + 1 < len(self.connections) else until
            heard = sorted([one.at, *one.comments, *(e.at for e in self.events if e.connection == number), end])
            found += (b - a for a, b in pairwise(heard))
        return sorted(found)

    def run(self) -> None:
        while not self._leave.is_set():
            one = Connection(self.last_id)
            self.connections.append(one)
            try:
                again = self._follow(one)
            except OSError:
                again = True
            if not again and not self._comes_again():
                return
            self._leave.wait(LATER if one.status == 503 else 0.02)

    def _comes_again(self) -> bool:
        """Whether its last answer was "not now", and not for too long."""
        last = self.connections[-AGAIN:]
        more = self.status == 503 and not (len(last) == AGAIN and all(one.status == 503 for one in last))
        if not more:
            self.told.set()
        return more

    def _follow(self, one: Connection) -> bool:
        """Returns whether to come back."""
        with socket.create_connection((self._at.hostname or "", self._at.port or 80), CONNECT) as wire:
            wire.sendall(request(self.path, self.tenant, one.last_id))
            wire.settimeout(LOOK_UP)
            data, heard = b"", 0
            while not self._leave.is_set():
                try:
                    came = wire.recv(1 << 16)
                except TimeoutError:
                    continue
                data += came
                if not one.status and b"\r\n\r\n" in data:
                    head, data = data.split(b"\r\n\r\n", 1)
                    one.status = int(head.split()[1])
                    if one.status != 503:
                        self.told.set()
                if one.status == 200:
                    *blocks, data = data.split(b"\n\n")
                    for block in blocks:
                        heard += self._hear(block, one)
                        if self.cut and heard >= self.cut:
                            return True
                if not came:
                    one.ended = True
                    if one.status != 503:
                        self.told.set()
                    return one.status == 200 and not (self.over and not self.cut)
        return True

    def _hear(self, block: bytes, one: Connection) -> int:
        now, data = time.time(), []
        fresh = None
        for line in block.decode(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if not name:
                one.comments.append(now)
            elif name == "id":
                fresh = value.strip()
            elif name == "data":
                data.append(value.strip())
        if fresh is not None:
            self.last_id = fresh
        if not data:
            return 0
        said = json.loads("\n".join(data))
        self.events.append(Event(now, fresh, said if isinstance(said, dict) else {}, len(self.connections) - 1))
        return 1


def request(path: str, tenant: str | None, last_id: str | None = None) -> bytes:
    """HTTP/1.0, which has no chunks: what follows the head is the stream itself."""
    lines = [f"GET {path} HTTP/1.0", "Host: 127.0.0.1", "Accept: text/event-stream"]
    lines += [f"Authorization: Bearer {token(tenant)}"] if tenant else []
    lines += [f"Last-Event-ID: {last_id}"] if last_id else []
    return "\r\n".join([*lines, "", ""]).encode()


def listening(stage: Stage, path: str, tenant: str | None, cut: int = 0, last_id: str | None = None) -> Listener:
    """One that has been answered, or soon will be. What happens from then on is its to tell, said it anything yet or
    not."""
    one = Listener(stage, path, tenant, cut=cut, last_id=last_id)
    one.start()
    one.told.wait(CONNECT)
    return one


def heard_all(stage: Stage, path: str, tenant: str | None, last_id: str | None = None) -> Listener:
    """One that has followed a job to its end, or until there was nothing more to hear."""
    one = listening(stage, path, tenant, last_id=last_id)
    stage.until(lambda: one.over or not one.is_alive() or one.still(SILENCE), CONNECT)
    return one.stop()
