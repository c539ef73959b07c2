"""A client as the contract wants it: it repeats a request that broke, with the same key, until it is answered."""

import time
from collections.abc import Callable, Sequence
from typing import Self

import httpx

from accepted.oracle.history import Asked
from accepted.oracle.reader import ended
from accepted.sweep.stories import Request

PAUSE = 0.1  # s between two tries
LOOK = 0.2  # s between two looks at a job: each is a request, and costs all processes their time


class Client:
    """`refused` collects answers that are no acceptance, where the caller said that none was allowed."""

    def __init__(self, base: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=base, headers=headers, timeout=6, trust_env=False)
        self.refused: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def ask(self, request: Request, seconds: float = 20.0, strict: bool = False) -> Asked:
        """`job` is None where no answer came in time. `strict`: whatever else is answered than 202 is `refused`."""
        deadline = time.monotonic() + seconds
        headers = {"Idempotency-Key": f'"{request.idempotency_key}"', "Connection": "close"}
        while time.monotonic() < deadline:
            try:
                answer = self.http.request(request.method, request.path, json=dict(request.body), headers=headers)
            except httpx.HTTPError:
                time.sleep(PAUSE)
                continue
            if answer.status_code == 202:
                job = answer.json()["job"]
                return Asked(job["kind"], job["natural_key"], job["id"], group=request.group)
            if strict:
                self.refused.append(f"{request.method} {request.path} was answered with {answer.status_code}")
                break
            if answer.status_code < 500 and answer.status_code not in (409, 429):
                raise RuntimeError(f"{request.path} was answered with {answer.status_code}: {answer.text[:200]}")
            time.sleep(PAUSE)
        return Asked(request.kind, request.key or request.path)

    def drained(self, asked: Sequence[Asked], seconds: float, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Waits until every accepted job and its children are terminal over HTTP."""
        left = [one.job for one in asked if one.job]
        deadline = time.monotonic() + seconds
        while left:
            try:
                left = left if not ended(self.http, left[:1]) else left[1:]
                if left and ended(self.http, left[:1]):
                    continue
            except (httpx.HTTPError, KeyError):
                pass  # web may be the one that was killed
            if left and (time.monotonic() > deadline or give_up()):
                return False
            if left:
                time.sleep(LOOK)
        return True
