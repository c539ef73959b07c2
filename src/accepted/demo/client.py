"""What a client of the system sees: HTTP and the event stream, nothing else."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

TERMINAL = ("succeeded", "failed", "cancelled")
T = TypeVar("T")
PATIENCE = 180.0  # s for what takes seconds where nothing else runs


class Stuck(Exception):
    """Something that the story waits for did not happen in time."""


def until(what: str, look: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Looks until `look` returns something true. Raises Stuck, which says what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.03)
    raise Stuck(f"{what}: not within {seconds:.0f} s")


@dataclass(frozen=True)
class Answer:
    """What was accepted, by a 202 as a rule: the job's id, where to look, where to listen, how long it took (ms)."""

    job_id: str
    location: str
    events: str
    ms: float
    status: int = 202


class Api:
    """A tenant's client. `any_success`: it takes a 200 for a 202, as most clients do."""

    def __init__(self, base: str, token: str, any_success: bool = False) -> None:
        self.any_success = any_success
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=base, headers=headers, timeout=30, trust_env=False)

    def post(self, path: str, body: dict[str, Any], key: str) -> Answer:
        """Raises Stuck where the answer is not a 202."""
        began = time.perf_counter()
        response = self.http.post(path, json=body, headers={"Idempotency-Key": f'"{key}"'})
        ms = (time.perf_counter() - began) * 1000
        if response.status_code != 202 and not (self.any_success and response.is_success):
            raise Stuck(f"POST {path} was answered with {response.status_code}: {response.text[:200]}")
        said = response.json()
        return Answer(
            said["job"]["id"], response.headers["Location"], said["links"]["events"], ms, response.status_code
        )

    def get(self, path: str) -> dict[str, Any]:
        response = self.http.get(path)
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        return found

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.get(f"/jobs/{job_id}")["job"]
        return job

    def ended(self, job_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["state"] in TERMINAL else None

        return until(f"the end of job {job_id}", look, seconds)

    def follow(self, events: str, seconds: float = PATIENCE) -> Iterator[dict[str, Any]]:
        """The job's events, as the stream process sends them, to the last one."""
        deadline = time.monotonic() + seconds
        with self.http.stream("GET", events, timeout=httpx.Timeout(10, read=20)) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if line.startswith("data:"):
                    event = json.loads(line[5:])
                    yield event
                    if event["state"] in TERMINAL:
                        return
                if time.monotonic() > deadline:
                    break
        raise Stuck(f"the stream {events} ended before its job did")

    def download(self, url: str) -> bytes:
        """Through a signed URL, as anybody holding it could: no token is sent."""
        response = httpx.get(url, follow_redirects=True, timeout=30, trust_env=False)
        response.raise_for_status()
        return response.content


class Partner:
    """The simulated third party, from the director's side: faults to play, and the ledger of what it saw."""

    def __init__(self, base: str) -> None:
        self.http = httpx.Client(base_url=base, timeout=10, trust_env=False)

    def play(self, *rules: dict[str, Any]) -> None:
        self.http.put("/faults", json={"rules": list(rules)}).raise_for_status()

    def ledger(self, **filters: str) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = self.http.get("/ledger", params=filters).raise_for_status().json()
        return found
