"""report.export, on a real object store."""

import time
from typing import Any

import pytest
from app.shared import artifacts, steps
from app.shared.core import Claim, LostLease, NotYet
from app.shared.tasks import HANDLERS

from billing.db import unit
from billing.render import Report, csv
from billing.storage import PartChanged, Upload

from .conftest import World

export = HANDLERS["report.export"]


def pointer(world: World, claim: Claim) -> Any:
    (row,) = world.sql(
        "SELECT artifact_key, artifact_bytes, artifact_fence FROM reports WHERE id = :id",
        id=claim.job.args["report_id"],
    )
    return row


def objects(claim: Claim) -> list[str]:
    return [one.key for one in artifacts.store().list(f"{claim.job.tenant_id}/reports/{claim.job.args['report_id']}/")]


def content(key: str) -> bytes:
    return b"".join(artifacts.store().get(key))


def expected(world: World) -> bytes:
    with unit() as s:
        return b"".join(csv.report_csv(s, "acme", world.seeded.period_from, world.seeded.period_to))


def test_the_file_is_whole_its_key_holds_the_fence_and_the_report_points_at_it(world: World) -> None:
    claim = world.claim(world.report())
    result = export(claim)
    found = pointer(world, claim)
    assert found.artifact_key == f"acme/reports/{claim.job.args['report_id']}/v1/{claim.fence}.csv"
    assert content(found.artifact_key) == expected(world)
    assert found.artifact_bytes == len(expected(world)) == result["bytes"]
    assert result["lines"] == world.seeded.tenants["acme"].lines


def test_a_repeated_run_makes_no_second_artifact(world: World) -> None:
    first = world.claim(world.report())
    export(first)
    again = world.taken_over(first)
    export(again)
    assert objects(again) == [pointer(world, again).artifact_key]


def test_a_report_that_is_rendered_again_all_the_same_keeps_its_first_artifact(world: World) -> None:
    first = world.claim(world.report())
    export(first)
    kept = pointer(world, first).artifact_key
    steps.forget(first)
    again = world.taken_over(first)
    export(again)
    assert pointer(world, again).artifact_key == kept
    assert objects(again) == [kept]
    assert list(artifacts.store().uploads("acme/")) == []


def test_a_pdf_is_one_part(world: World) -> None:
    claim = world.claim(world.report("pdf"))
    export(claim)
    assert content(pointer(world, claim).artifact_key).startswith(b"%PDF-")


def test_another_worker_goes_on_with_the_parts_of_a_dead_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "PART_BYTES", 6 * 1024)
    dead = world.claim(world.report())
    dead.deadline = time.monotonic()  # its box is over after each step
    with pytest.raises(NotYet):
        export(dead)
    with unit() as s:
        (query,) = steps.view(s, dead.job.id)
    heir = world.taken_over(dead)
    assert len(query["output"]["parts"]) > 1
    heir.deadline = time.monotonic()
    with pytest.raises(NotYet):
        export(heir)
    with unit() as s:
        assert [one["name"] for one in steps.view(s, dead.job.id)] == ["query", "render:1"]
        assert steps.view(s, dead.job.id)[0] == query


def test_a_part_that_a_frozen_predecessor_wrote_over_sends_the_report_back_to_its_start(world: World) -> None:
    frozen = world.claim(world.report())
    rendered = _up_to_upload(world, frozen)
    artifacts.part(rendered, 1, [b"stale"])  # it wakes within its part
    heir = world.taken_over(frozen)
    with pytest.raises(PartChanged):
        export(heir)
    with unit() as s:
        assert steps.view(s, heir.job.id) == []
    assert objects(heir) == []
    third = world.taken_over(heir)
    export(third)
    assert content(pointer(world, third).artifact_key) == expected(world)
    assert pointer(world, third).artifact_key.endswith(f"/{third.fence}.csv")


def test_an_upload_that_was_swept_is_begun_anew(world: World) -> None:
    claim = world.claim(world.report())
    artifacts.store().abort(_up_to_upload(world, claim))
    with pytest.raises(PartChanged):
        export(claim)
    export(claim)
    assert content(pointer(world, claim).artifact_key) == expected(world)


def test_only_the_newest_claim_moves_the_pointer(world: World) -> None:
    frozen = world.claim(world.report())
    heir = world.taken_over(frozen)
    export(heir)
    with pytest.raises(LostLease), unit() as s:
        artifacts.point(s, frozen, "acme/reports/of/the/past.csv", 1)
    assert pointer(world, heir).artifact_fence == heir.fence


def test_the_completing_answer_may_get_lost_and_the_report_still_has_one_artifact(world: World) -> None:
    dead = world.claim(world.report())
    upload = _up_to_upload(world, dead)
    with unit() as s:
        etag = steps.view(s, dead.job.id)[1]["output"]["etag"]
    artifacts.store().complete(upload, [(1, etag)])  # and dies before it could say so
    heir = world.taken_over(dead)
    export(heir)
    assert objects(heir) == [upload.key] == [pointer(world, heir).artifact_key]


def _up_to_upload(world: World, claim: Claim) -> Upload:
    """Runs the job up to the end of its only part."""
    kept = claim.deadline
    for _ in range(2):
        claim.deadline = time.monotonic()
        with pytest.raises(NotYet):
            export(claim)
    claim.deadline = kept
    with unit() as s:
        query, render = steps.view(s, claim.job.id)
    assert (query["name"], render["name"]) == ("query", "render:1")
    return Upload(query["output"]["key"], query["output"]["upload"])


def test_a_report_names_its_tenants_lines_only(world: World) -> None:
    claim = world.claim(world.report(tenant="globex"))
    assert export(claim)["lines"] == world.seeded.tenants["globex"].lines
    with unit() as s:
        mine = Report("globex", world.seeded.period_from, world.seeded.period_to)
        assert sum(one.lines for one in csv.plan(s, mine)) == world.seeded.tenants["globex"].lines
