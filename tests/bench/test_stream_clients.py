"""The clients of the event stream, following a server whose delays are known."""

import json
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from accepted.bench.aside import Aside
from accepted.stack.runner import Runner

CLIENTS = 20
LATE = timedelta(seconds=0.4)


class Streams(socketserver.ThreadingTCPServer):
    """Tells each client what was before, then waits for `go` and sends one event that is LATE; the first client is
    cut instead if `cuts`.
    """

    daemon_threads = True
    request_queue_size = 64
    allow_reuse_address = True
    cuts = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Stream)
        self.go = threading.Event()
        self.over = threading.Event()
        self.first = threading.Lock()


def event(seq: int, age: timedelta) -> bytes:
    at = (datetime.now(UTC) - age).isoformat().replace("+00:00", "Z")
    frame = f"id: {seq}\ndata: {json.dumps({'seq': seq, 'at': at}, separators=(',', ':'))}\n\n".encode()
    return f"{len(frame):x}\r\n".encode() + frame + b"\r\n"


class _Stream(socketserver.StreamRequestHandler):
    server: Streams

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.wfile.write(event(1, timedelta(hours=1)))
        self.server.go.wait(20)
        if self.server.cuts and self.server.first.acquire(blocking=False):
            return
        self.wfile.write(event(2, LATE))
        self.wfile.write(b"d\r\n: heartbeat\n\n\r\n")
        self.server.over.wait(20)


@pytest.fixture
def streams() -> Iterator[Streams]:
    with Streams() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


def follow(runner: Runner, streams: Streams) -> tuple[dict[str, float], dict[str, list[float]]]:
    spec = {"port": streams.server_address[1], "token": "t", "job_ids": [str(n) for n in range(CLIENTS)]}
    with Aside(runner, "stream_clients", spec) as aside:
        opened = aside.hear(20)
        streams.go.set()
        aside.tell({"events": CLIENTS, "within": 1.5})
        return opened, aside.hear(10)


def test_an_event_is_timed_from_its_commit_and_what_was_before_is_not_counted(runner: Runner, streams: Streams):
    opened, heard = follow(runner, streams)
    assert opened["open"] == CLIENTS
    assert heard["lost"] == 0 and len(heard["waits"]) == CLIENTS
    assert all(400 <= wait < 1400 for wait in heard["waits"])


def test_a_stream_that_is_cut_is_reported(runner: Runner, streams: Streams):
    streams.cuts = True
    _, heard = follow(runner, streams)
    assert heard["lost"] == 1 and len(heard["waits"]) == CLIENTS - 1
