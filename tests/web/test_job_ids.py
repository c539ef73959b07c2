"""A job's id: the same for the same thing, another for another, and out of reach without the key."""

import pytest
from app.shared import jobs

from billing.settings import settings


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch):
    def set_(value: str) -> None:
        monkeypatch.setenv("SECRET_KEY", value)
        settings.cache_clear()

    yield set_
    settings.cache_clear()


def test_an_id_follows_from_the_natural_key_and_from_the_secret_only(key) -> None:
    key("one")
    first = jobs.id_of("acme:payout:1:1")
    assert jobs.id_of("acme:payout:1:1") == first
    assert jobs.id_of("acme:payout:1:2") != first
    key("another")
    assert jobs.id_of("acme:payout:1:1") != first, "knowing the natural key is not enough"
