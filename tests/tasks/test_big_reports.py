"""A report of several parts, made by worker processes that are killed at the worst moments."""

import os
import subprocess
import sys
from typing import Any
from uuid import UUID

import psycopg
import pytest
from app.shared import artifacts, claims
from app.shared.core import Job

from billing.db import unit

from .conftest import World, until

# VmHWM, not getrusage's maximum: that one begins, in a child, with what its parent held.
RUN = """
import sys, uuid
from pathlib import Path
from app.shared import runner, telemetry
from billing.db import unit
from sqlalchemy import text
def kib(name):
    return int(Path("/proc/self/status").read_text().partition(name + ":")[2].split()[0])
telemetry.configure("worker-cpu")
with unit() as s:
    s.execute(text("SELECT 1"))
idle = kib("VmRSS")
runner.run(uuid.UUID(sys.argv[1]))
print(kib("VmHWM") - idle)
"""


@pytest.fixture
def scale() -> str:
    return "medium"


def worker(world: World, job: Job) -> subprocess.Popen[str]:
    """Another process that runs the job once and prints by how many KiB its memory grew."""
    command = [sys.executable, "-c", RUN, str(job.id)]
    return subprocess.Popen(command, env=os.environ | world.env, stdout=subprocess.PIPE, text=True)


def finished(world: World, job_id: UUID) -> dict[str, Any]:
    rows = world.sql("SELECT name, finished_at FROM job_steps WHERE job_id = :id", id=job_id)
    return {row.name: row.finished_at for row in rows}


def test_no_step_runs_again_whichever_step_a_worker_is_killed_in(world: World) -> None:
    job = world.report()
    for blocked, there in (("render:2", {"query", "render:1"}), ("upload", {"query", "render:1", "render:2"})):
        with psycopg.connect(world.env["DATABASE_URL"]) as door:
            # The worker stands before this row when it has done the step, and has not yet recorded it.
            door.execute(
                "INSERT INTO job_steps (job_id, name, output, fence) VALUES (%s, %s, '{}', 0)", (job.id, blocked)
            )
            with worker(world, job) as process:
                until(lambda: _waits(world), f"the worker to be done with {blocked}", 30)
                process.kill()
            door.rollback()
        before = finished(world, job.id)
        assert before.keys() == there
        world.sql("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = :id", id=job.id)
        with unit() as s:
            assert [one.id for one in claims.expired(s)] == [job.id]
    with worker(world, job) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    after = finished(world, job.id)
    assert {name: after[name] for name in before} == before, "a finished step ran again"
    view = world.view(job.id)
    assert (view["state"], view["percent"]) == ("succeeded", 100)
    (row,) = world.sql("SELECT artifact_key, artifact_bytes FROM reports")
    assert [one.key for one in artifacts.store().list("acme/")] == [row.artifact_key]
    lines = sum(chunk.count(b"\n") for chunk in artifacts.store().get(row.artifact_key))
    assert lines == 1 + world.seeded.tenants["acme"].lines


def _waits(world: World) -> bool:
    return bool(world.sql("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"))


def test_memory_does_not_grow_with_the_report(world: World) -> None:
    job = world.report()
    with worker(world, job) as process:
        grown = int(process.communicate(timeout=60)[0])
    (row,) = world.sql("SELECT artifact_bytes FROM reports")
    assert row.artifact_bytes > 7 * 1024 * 1024, "too small a report to tell"
    assert grown < 9 * 1024, f"{grown} KiB for a file of {row.artifact_bytes // 1024} KiB"
