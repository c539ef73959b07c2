"""What the partner does with calls, and what its ledger says of them. A real process, real sockets."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

Start = Callable[..., Any]
KEY = b"a key of the subscriber's own"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def deliver(partner: Any, webhook_id: str, subscriber: str = "s1", *, key: bytes = KEY, age: int = 0) -> httpx.Response:
    body, stamp = b'{"invoice":1}', str(int(time.time()) - age)
    digest = hmac.new(key, f"{webhook_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1,b2xkIGtleQ== v1," + base64.b64encode(digest).decode(),
    }
    return partner.http.post(f"/hooks/{subscriber}", content=body, headers=headers)


def test_one_idempotency_key_makes_one_charge_however_often_it_comes(partner: Any) -> None:
    first = partner.charge("r-1", "acme:payout:r-1:1", headers={"traceparent": "00-ab-cd-01", "X-Worker": "w7"})
    again = partner.charge("r-1", "acme:payout:r-1:1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    seen = partner.ledger(kind="charge", key="acme:payout:r-1:1")
    assert [call["replayed"] for call in seen["calls"]] == [False, True]
    [effect] = seen["effects"]
    assert (effect["key"], effect["worker"], effect["traceparent"], effect["amount_cents"]) == (
        "r-1", "w7", "00-ab-cd-01", 1250,
    )  # fmt: skip
    assert partner.http.get("/v1/charges", params={"reference": "r-1"}).json() == {"data": [first.json()]}


def test_a_fresh_key_for_the_same_reference_is_a_second_charge_and_the_summary_shows_it(partner: Any) -> None:
    partner.charge("r-1", "k1")
    partner.charge("r-1", "k2")
    partner.charge("r-2")
    partner.charge("r-2")
    assert partner.summary()["charge"] == {"r-1": 2, "r-2": 2}


def test_the_same_key_with_another_body_is_refused_and_charges_nothing(partner: Any) -> None:
    partner.charge("r-1", "k1")
    assert partner.charge("r-1", "k1", amount_cents=9).status_code == 422
    assert partner.summary()["charge"] == {"r-1": 1}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"reference": 4}', b"[" * 100_000])
def test_a_body_that_cannot_be_read_is_refused_without_effect_but_noted(partner: Any, body: bytes) -> None:
    for path in ("/v1/charges", "/v1/emails"):
        assert partner.http.post(path, content=body).status_code == 422
    seen = partner.ledger()
    assert [call["status"] for call in seen["calls"]] == [422, 422]
    assert seen["effects"] == []


def test_each_email_call_is_a_mail_and_the_lookup_tells_what_was_sent(partner: Any) -> None:
    assert partner.http.get("/v1/emails", params={"reference": "e-1"}).json() == {"data": []}
    ids = [partner.email("e-1").json()["id"] for _ in range(2)]
    data = partner.http.get("/v1/emails", params={"reference": "e-1"}).json()["data"]
    assert [one["id"] for one in data] == ids
    assert partner.summary()["email"] == {"e-1": 2}


def test_a_subscriber_acts_once_on_a_webhook_id_and_the_repeats_stay_visible(partner: Any) -> None:
    assert [deliver(partner, "hook-1").status_code for _ in range(3)] == [204, 204, 204]
    seen = partner.ledger(kind="webhook")
    assert [one["duplicate"] for one in seen["deliveries"]] == [False, True, True]
    assert partner.summary()["webhook"] == {"hook-1": 1}
    assert seen["effects"][0]["signature"] == "unchecked"


@pytest.mark.parametrize(("how", "status"), [({}, 204), ({"key": b"other"}, 401), ({"age": 3600}, 401)])
def test_a_registered_secret_makes_the_subscriber_check_signature_and_age(
    partner: Any, how: dict[str, Any], status: int
) -> None:
    assert partner.http.put("/subscribers/s1", json={"secret": SECRET}).status_code == 204
    assert deliver(partner, "hook-1", **how).status_code == status
    [delivery] = partner.ledger()["deliveries"]
    assert delivery["signature"] == ("ok" if status == 204 else "bad")
    assert partner.summary()["webhook"] == ({"hook-1": 1} if status == 204 else {})


def test_a_badly_signed_delivery_does_not_use_up_its_webhook_id(partner: Any) -> None:
    partner.http.put("/subscribers/s1", json={"secret": SECRET})
    deliver(partner, "hook-1", key=b"other")
    assert deliver(partner, "hook-1").status_code == 204
    assert partner.summary()["webhook"] == {"hook-1": 1}


def test_a_secret_of_another_shape_is_refused(partner: Any) -> None:
    for wrong in ({"secret": "plain"}, {"secret": "whsec_!"}, {}):
        assert partner.http.put("/subscribers/s1", json=wrong).status_code == 400


def test_a_killed_partner_comes_back_with_its_ledger_its_keys_and_its_secrets(start: Start, tmp_path: Path) -> None:
    ledger = str(tmp_path / "ledger.jsonl")
    before = start("--ledger", ledger)
    before.http.put("/subscribers/s1", json={"secret": SECRET})
    charge = before.charge("r-1", "k1").json()
    before.email("e-1")
    deliver(before, "hook-1")
    seen = before.ledger()
    before.kill()
    with Path(ledger).open("ab") as torn:
        torn.write(b'{"entry":"eff')  # killed in the middle of a line

    after = start("--ledger", ledger)
    assert after.ledger() == seen
    again = after.charge("r-1", "k1")
    assert again.json() == charge
    assert again.headers["Idempotent-Replayed"] == "true"
    assert deliver(after, "hook-1", key=b"other").status_code == 401
    assert deliver(after, "hook-1").status_code == 204
    assert after.summary() == {"charge": {"r-1": 1}, "email": {"e-1": 1}, "webhook": {"hook-1": 1}}
    after.kill()
    for line in Path(ledger).read_bytes().splitlines():
        json.loads(line)


def test_two_partners_do_not_share_a_ledger_and_a_taken_port_says_so(partner: Any, tmp_path: Path) -> None:
    port = partner.http.base_url.port
    for options, word in (
        (["--port", "0", "--ledger", str(tmp_path / "ledger.jsonl")], "in use"),
        (["--port", str(port)], "taken"),
    ):
        command = [sys.executable, "-m", "accepted.partner", *options]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert ended.returncode == 1
        assert word in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_the_ledger_can_be_asked_by_key_kind_subscriber_and_since(partner: Any) -> None:
    partner.email("e-1")
    deliver(partner, "hook-1", "s1")
    deliver(partner, "hook-2", "s2")
    assert [one["key"] for one in partner.ledger(subscriber="s2")["deliveries"]] == ["hook-2"]
    assert [one["key"] for one in partner.ledger(op="email")["calls"]] == ["e-1"]
    last = partner.ledger(key="hook-1")["effects"][0]["seq"]
    assert {one["key"] for one in partner.ledger(after=str(last))["effects"]} == {"hook-2"}
    assert partner.http.get("/ledger", params={"colour": "red"}).status_code == 400
