"""What a call to a partner makes of odd answers."""

import time
from datetime import UTC, datetime

import pytest
from app.shared import partners
from app.shared.core import PartnerError

from billing.settings import settings

from .conftest import World

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("Sat, 31 Jan 2026 12:00:30 GMT", 30.0),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0.0),  # in the past: at once
        ("Sat, 31 Jan 2026 12:00:30 -0000", 30.0),  # a date without a zone is UTC
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),  # a digit, but not one of HTTP's
        ("9" * 400, 999999999.0),
    ],
)
def test_retry_after_is_read_in_both_forms_and_nonsense_is_none(header: str | None, seconds: float | None) -> None:
    assert partners.retry_after(header, NOW) == seconds


def test_an_endpoint_is_named_without_credentials_or_query() -> None:
    assert partners.endpoint_of("https://u:p@hooks.example:8443/a/b?token=x#f") == "https://hooks.example:8443/a/b"


def test_a_partner_that_hangs_holds_the_worker_no_longer_than_the_time_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTNER_TIMEOUT", "0.3")
    settings.cache_clear()
    world.faults({"match": {"op": "charge"}, "do": {"hang": True}})
    began = time.monotonic()
    with pytest.raises(PartnerError) as hung:
        partners.charge("acme:payout:hang:1", account="x", amount_cents=1, currency="EUR", traceparent=TRACE)
    assert time.monotonic() - began < 2
    assert (hung.value.failure.error, hung.value.failure.transient) == ("ReadTimeout", True)


def test_nobody_at_home_is_a_failure_that_may_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTNER_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    with pytest.raises(PartnerError) as away:
        partners.charge("k", account="x", amount_cents=1, currency="EUR", traceparent=TRACE)
    assert away.value.failure.error == "ConnectError"
    assert away.value.failure.endpoint == "http://127.0.0.1:9/v1/charges"


def test_a_url_that_can_never_work_is_not_tried_again(world: World) -> None:
    with pytest.raises(PartnerError) as wrong:
        partners.deliver("k", url="ftp://hooks.example/x", secret="whsec_YQ==", body=b"{}", traceparent=TRACE)
    assert wrong.value.failure.transient is False


def test_a_broken_connection_is_not_tried_a_second_time_behind_the_retrys_back(world: World) -> None:
    world.faults({"match": {"op": "charge"}, "do": {"drop": True}})
    for _ in range(2):  # the second call would find a connection kept from the first
        with pytest.raises(PartnerError):
            partners.charge("acme:payout:drop:1", account="x", amount_cents=1, currency="EUR", traceparent=TRACE)
    assert len(world.calls("acme:payout:drop:1")) == 2


def test_a_mail_whose_line_broke_is_not_asked_for_before_the_provider_had_its_time(world: World) -> None:
    def lost() -> float | None:
        with pytest.raises(PartnerError) as broken:
            partners.send_email("acme:email:1:1", to="a@b.example", subject="s", body="b", traceparent=TRACE)
        return broken.value.failure.retry_after

    world.faults({"match": {"op": "email"}, "do": {"drop": True}})
    left = lost()
    assert left is not None
    assert settings().partner_timeout - 2 < left <= settings().partner_timeout


def test_a_mail_that_never_left_may_be_tried_again_soon(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    with pytest.raises(PartnerError) as away:
        partners.send_email("acme:email:1:1", to="a@b.example", subject="s", body="b", traceparent=TRACE)
    assert away.value.failure.retry_after is None


def test_a_mail_that_timed_out_has_had_its_time_and_backs_off_as_everybody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTNER_TIMEOUT", "0.3")
    settings.cache_clear()
    world.faults({"match": {"op": "email"}, "do": {"hang": True}})
    with pytest.raises(PartnerError) as hung:
        partners.send_email("acme:email:1:1", to="a@b.example", subject="s", body="b", traceparent=TRACE)
    assert (hung.value.failure.error, hung.value.failure.retry_after) == ("ReadTimeout", None)
