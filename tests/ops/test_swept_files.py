"""The cleaning of the object store: only what nobody needs goes, and a store that is down holds up nothing else."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from app.shared import artifacts, retention

from billing.storage import ObjectStore, Upload
from tests.ops.conftest import House


@pytest.fixture
def store(house: House, object_store_url: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The local store, a real process."""
    from billing.settings import settings

    monkeypatch.setenv("OBJECT_STORE_URL", object_store_url)
    settings.cache_clear()
    return artifacts.store()


def written(store: ObjectStore, key: str) -> str:
    upload = store.begin(key)
    store.complete(upload, [(1, store.put_part(upload, 1, [b"x"]))])
    return key


def keys(store: ObjectStore) -> set[str]:
    return {stat.key for stat in store.list()} | {upload.key for upload in store.uploads()}


def report(house: House, pointer: str | None = None) -> str:
    number = uuid4()
    house.rows(
        "INSERT INTO reports (id, tenant_id, format, period_from, period_to, artifact_key)"
        " VALUES (%s, 'acme', 'csv', '2025-01-01', '2025-01-02', %s)",
        number,
        pointer,
    )
    return str(number)


def test_only_what_nobody_needs_is_swept(house: House, store: ObjectStore) -> None:
    number, at_work, parked = report(house), report(house), report(house)
    orphan = written(store, f"acme/reports/{number}/v1/1.csv")
    pointed = written(store, f"acme/reports/{number}/v1/2.csv")
    house.rows("UPDATE reports SET artifact_key = %s WHERE id = %s", pointed, number)
    house.accept("report.export", args={"report_id": at_work})
    completed = written(store, f"acme/reports/{at_work}/v1/1.csv")  # whole, and not pointed at yet
    house.dead("report.export", args={"report_id": parked})
    requeueable = store.begin(f"acme/reports/{parked}/v1/1.csv")
    abandoned = store.begin(f"acme/reports/{number}/v1/3.csv")
    foreign = written(store, "somebody/elses/file.txt")
    assert isinstance(abandoned, Upload)

    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert retention.sweep(store, soon - timedelta(hours=1)) == {"artifacts": 0, "uploads": 0}  # all too young
    assert retention.sweep(store, soon) == {"artifacts": 1, "uploads": 1}
    assert keys(store) == {pointed, completed, requeueable.key, foreign}
    assert orphan not in keys(store)


def test_a_reports_file_lives_as_long_as_its_job(house: House, store: ObjectStore) -> None:
    number = report(house)
    key = written(store, f"acme/reports/{number}/v1/1.csv")
    house.rows("UPDATE reports SET artifact_key = %s WHERE id = %s", key, number)
    job = house.accept("report.export", args={"report_id": number})
    house.rows("UPDATE jobs SET state = 'succeeded', finished_at = now() - interval '8 days' WHERE id = %s", job.id)
    retention.clean()
    assert house.ids() == set()
    retention.sweep(store, datetime.now(UTC) + timedelta(minutes=1))
    assert key not in keys(store)


def test_a_store_that_is_down_holds_up_nothing_else(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from accepted.stack import ports
    from billing.settings import settings

    monkeypatch.setenv("OBJECT_STORE_URL", f"http://127.0.0.1:{ports.free_port()}/artifacts?secret=x")
    settings.cache_clear()
    house.accept()
    house.eager.drain()
    house.age("jobs", "finished_at", "8 days")
    assert retention.clean()["jobs"] == 1
