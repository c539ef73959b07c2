"""Signed URLs of artifacts."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from app.shared import artifacts
from app.shared.tasks import HANDLERS

from billing.settings import settings

from .conftest import World


def taken_apart(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return parts.path.removeprefix("/artifacts/"), {name: one[0] for name, one in parse_qs(parts.query).items()}


def test_a_signed_url_leads_to_the_bytes_and_any_change_to_it_leads_nowhere(world: World) -> None:
    claim, other = world.claim(world.report()), world.claim(world.report())
    result = HANDLERS["report.export"](claim)
    HANDLERS["report.export"](other)
    path, args = taken_apart(artifacts.url(claim.job)[0])
    key = artifacts.check(path, args)
    answer = httpx.get(artifacts.location(key), trust_env=False)
    assert len(answer.content) == result["bytes"]
    assert artifacts.filename_of(key) in answer.headers["Content-Disposition"]

    tenant, job, name = path.split("/")
    other_signature = taken_apart(artifacts.url(other.job)[0])[1]["signature"]
    for bad_path, bad_args in [
        (f"globex/{job}/{name}", args),
        (f"{tenant}/{other.job.id}/{name}", args),
        (f"{tenant}/{job}/other.csv", args),
        (f"{tenant}/{job}", args),
        (f"{tenant}/nonsense/{name}", args),
        (f"{tenant}\0/{job}/{name}", args),
        (path, args | {"expires": str(int(args["expires"]) + 1)}),
        (path, args | {"expires": ""}),
        (path, args | {"expires": "²"}),
        (path, args | {"signature": other_signature}),
        (path, args | {"signature": args["signature"][:-1]}),
        (path, args | {"signature": "é"}),
        (path, {"expires": args["expires"]}),
        (path, {"signature": args["signature"]}),
    ]:
        with pytest.raises(artifacts.BadSignature):
            artifacts.check(bad_path, bad_args)


def test_an_expired_url_says_so_and_a_forged_expired_one_does_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = world.claim(world.report())
    HANDLERS["report.export"](claim)
    monkeypatch.setattr(artifacts.time, "time", lambda: 1_000_000.0)
    url, expires = artifacts.url(claim.job)
    monkeypatch.undo()
    path, args = taken_apart(url)
    assert expires.timestamp() == 1_000_000 + settings().url_ttl
    with pytest.raises(artifacts.Expired):
        artifacts.check(path, args)
    with pytest.raises(artifacts.BadSignature):
        artifacts.check(path, args | {"expires": "1000000"})


def test_without_an_artifact_there_is_no_url(world: World) -> None:
    with pytest.raises(artifacts.NoArtifact):
        artifacts.url(world.report())


def test_a_signature_made_with_another_secret_does_not_fit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = world.claim(world.report())
    HANDLERS["report.export"](claim)
    path, args = taken_apart(artifacts.url(claim.job)[0])
    monkeypatch.setenv("SECRET_KEY", "another")
    settings.cache_clear()
    with pytest.raises(artifacts.BadSignature):
        artifacts.check(path, args)
