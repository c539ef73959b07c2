"""A runner for processes beside a bench, and small servers with planted faults for the instruments to find."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from accepted.stack.logs import Logs
from accepted.stack.runner import Runner
from accepted.stack.tether import Tether

Answer = Callable[[int], tuple[int, bytes]]  # the number of the request, from 1 → status and body


@pytest.fixture
def runner(tmp_path: Path, tether: Tether) -> Iterator[Runner]:
    logs = Logs(tmp_path / "logs")
    runner = Runner(env=os.environ, cwd=Path.cwd(), logs=logs, tether=tether, grace=2)
    yield runner
    runner.close()
    logs.close()


class Served(ThreadingHTTPServer):
    """`count` requests were answered so far."""

    daemon_threads = True
    answer: Answer
    count = 0
    lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away while it was answered is nothing to print about."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Served

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.count += 1
            number = self.server.count
        status, body = self.server.answer(number)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if body == b"bye":  # and hangs up, though nobody said so
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serving() -> Iterator[Callable[[Answer], Served]]:
    """Starts a server that answers as the function says."""
    running: list[Served] = []

    def start(answer: Answer) -> Served:
        server = Served(("127.0.0.1", 0), _Handler)
        server.answer = answer
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()
