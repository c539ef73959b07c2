"""A job to follow, a stream process of the tree, and a client that speaks server-sent events as browsers do."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from app.shared import progress
from app.shared.core import Job

from accepted.stack.ports import free_port
from billing.db import unit

from .conftest import World, until


def noop(world: World, tenant: str = "acme") -> Job:
    return world.job("noop", {}, f"noop:{uuid4()}", tenant=tenant)


def advance(job: Job, percent: int) -> None:
    with unit() as s:
        assert progress.record(s, job.id, "running", percent, f"at {percent}")


def path(job: Job) -> str:
    return f"/jobs/{job.id}/events"


@dataclass(frozen=True)
class Said:
    """One block: its id, if it had one, and its data, if it had any. A heartbeat has `comment`."""

    id: str | None
    data: dict[str, Any] | None
    comment: bool = False


@dataclass
class Stream:
    url: str
    token: str
    process: subprocess.Popen[bytes]

    @contextmanager
    def get(
        self, path: str, headers: Mapping[str, str] | None = None, timeout: float = 10, token: str | None = None
    ) -> Iterator[httpx.Response]:
        sent = {"Authorization": f"Bearer {token or self.token}"} | dict(headers or {})
        with (
            httpx.Client(base_url=self.url, trust_env=False, timeout=timeout) as client,
            client.stream("GET", path, headers=sent) as response,
        ):
            yield response

    def status(self, path: str, headers: Mapping[str, str] | None = None, token: str | None = None) -> httpx.Response:
        with self.get(path, headers, token=token) as response:
            if response.status_code != 200:
                response.read()
            return response

    def health(self) -> dict[str, Any]:
        return httpx.get(f"{self.url}/healthz", trust_env=False).raise_for_status().json()


def said(response: httpx.Response) -> Iterator[Said]:
    """What is said, block by block, until the stream ends."""
    assert response.status_code == 200, response.read()
    block: list[str] = []
    for line in response.iter_lines():
        if line:
            block.append(line)
            continue
        fields = dict(one.split(": ", 1) for one in block if not one.startswith(":"))
        if fields.keys() - {"retry"} or len(fields) < len(block):
            data = json.loads(fields["data"]) if "data" in fields else None
            yield Said(fields.get("id"), data, any(one.startswith(":") for one in block))
        block = []


def events(response: httpx.Response, count: int) -> list[Said]:
    """The next `count` events; heartbeats are passed over."""
    found: list[Said] = []
    for one in said(response):
        if one.data is not None:
            found.append(one)
            if len(found) == count:
                break
    return found


@contextmanager
def serving(world: World, **env: str) -> Iterator[Stream]:
    port = free_port()
    settings = world.env | {"STREAM_PORT": str(port), "PUBLIC_URL": "http://127.0.0.1:8000"} | env
    with subprocess.Popen([sys.executable, "-m", "app", "stream"], env=os.environ | settings) as process:
        stream = Stream(f"http://127.0.0.1:{port}", world.seeded.tokens["acme"], process)
        try:
            until(lambda: _healthy(stream), "the stream process")
            yield stream
        finally:
            process.terminate()
            try:
                code = process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert code == 0, f"the stream process ended with {code}"


def _healthy(stream: Stream) -> bool:
    assert stream.process.poll() is None, "the stream process has died"
    try:
        return bool(stream.health())
    except httpx.TransportError:
        return False
