"""A real partner process on a free port, its ledger under tmp_path, and a client to talk to it."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest


@dataclass
class Partner:
    process: subprocess.Popen[str]
    http: httpx.Client

    def charge(self, reference: str, key: str | None = None, **more: Any) -> httpx.Response:
        headers = ({"Idempotency-Key": key} if key else {}) | more.pop("headers", {})
        body = {"reference": reference, "account": "a-1", "amount_cents": 1250, "currency": "EUR"} | more
        return self.http.post("/v1/charges", json=body, headers=headers)

    def email(self, reference: str) -> httpx.Response:
        return self.http.post(
            "/v1/emails", json={"reference": reference, "to": "ann@example.com", "subject": "Hi", "body": "…"}
        )

    def faults(self, *rules: dict[str, Any]) -> None:
        self.http.put("/faults", json={"rules": rules}).raise_for_status()

    def ledger(self, **wanted: str) -> dict[str, list[dict[str, Any]]]:
        return self.http.get("/ledger", params=wanted).raise_for_status().json()

    def summary(self) -> dict[str, dict[str, int]]:
        return self.http.get("/ledger/summary").raise_for_status().json()

    def stats(self) -> dict[str, dict[str, int]]:
        return self.http.get("/stats").raise_for_status().json()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def first_line(process: subprocess.Popen[str]) -> str:
    watchdog = threading.Timer(20, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        return process.stdout.readline().strip()
    finally:
        watchdog.cancel()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Partner]]:
    started: list[Partner] = []

    def begin(*options: str) -> Partner:
        command = [sys.executable, "-m", "accepted.partner", "--port", "0", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        url = first_line(process).rpartition(" ")[2]
        partner = Partner(process, httpx.Client(base_url=url, timeout=10, trust_env=False))
        started.append(partner)
        return partner

    yield begin
    for partner in started:
        partner.http.close()
        partner.kill()
        assert partner.process.stdout is not None
        partner.process.stdout.close()


@pytest.fixture
def partner(start: Callable[..., Partner], tmp_path: Path) -> Partner:
    return start("--ledger", str(tmp_path / "ledger.jsonl"))
