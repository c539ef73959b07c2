"""A process's settings are its environment's, and a wrong one is named."""

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from billing.settings import Settings, settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def test_what_is_set_counts_and_the_rest_has_its_default(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LEASE", "1.5")
    environment.setenv("IO_SLOTS", "9")
    environment.setenv("SECRET_KEY", "a long one")
    found = settings()
    assert (found.lease, found.io_slots, found.cpu_slots, found.secret()) == (1.5, 9, 2, "a long one")
    assert "a long one" not in repr(found)


def test_a_wrong_one_is_named_and_its_value_is_not_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LEASE", "postgresql://me:a-password@host")
    with pytest.raises(ValidationError, match="lease") as error:
        settings()
    assert "a-password" not in str(error.value)
