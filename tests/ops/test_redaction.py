"""Personal data and secrets don't get through; ids do."""

import csv
import io
from random import Random
from typing import Any
from uuid import UUID

import pytest
from app.shared.redaction import GONE, is_telling, redact, redact_error, redact_raw, redact_text
from hypothesis import example, given, settings
from hypothesis import strategies as st

from billing.seed import PII
from billing.seed.people import Person, iban, person

people = st.builds(
    lambda seed, number, mark: person(Random(seed), number, mark),
    st.integers(0, 2**32),
    st.integers(1, 10**6),
    st.sampled_from("cp"),
)
ibans = st.integers(0, 2**32).map(lambda seed: iban(Random(seed)))
# What stands around a value in a message. Not a letter or a digit at its edges: that would be another word.
befores = st.sampled_from(["", " ", "sent to ", "<", "x=", "to:", "('", '"', "\n", "- ", "(", "was ", "ok, "])
afters = st.sampled_from(["", " ", ">", "')", '"', "\n", " - no", ")", " was it", ", ok", ";", ": gone", "."])


@given(people, ibans, befores, afters)
def test_no_form_of_personal_data_survives_in_a_text(who: Person, bank: str, before: str, after: str) -> None:
    spaced = " ".join(bank[i : i + 4] for i in range(0, len(bank), 4))
    for value in (who.email, who.phone, who.tax_id, bank, spaced):
        found = redact_text(f"{before}{value}{after}")
        assert value not in found, value
        assert PII.search(found) is None


@given(people, ibans)
def test_nothing_of_a_seeded_person_survives_in_an_event(who: Person, bank: str) -> None:
    event: dict[str, Any] = {
        "event": f"mail for {who.email} bounced",
        **who._asdict(),
        "holder_name": who.name,
        "iban": bank,
        "customer": {"id": 7, "full_name": who.name, "contact": {"address": who.address, "mobilePhone": who.phone}},
        "rows": [who._asdict(), [who.email, bank]],
        "as_json": f'{{"name": "{who.name}", "address": "{who.address}"}}',
        "as_repr": repr(who._asdict()),
        "failed": ValueError(f"no account for {who.name!r} at {who.address!r}"),
        "raw": who.name.encode(),
    }
    shown = str(redact(event))
    assert PII.search(shown) is None, shown
    for value in (who.name, who.email, who.phone, who.address, who.tax_id, bank):
        assert value not in shown


@given(people)
def test_nothing_of_a_seeded_person_survives_in_an_error_or_in_foreign_bytes(who: Person) -> None:
    duplicate = f"duplicate key\nDETAIL:  Key (tenant_id, name)=(acme, {who.name}) already exists."
    row = f"DETAIL:  Failing row contains (1, acme, {who.name}, {who.email}, {who.address})."
    bound = f"[SQL: INSERT …]\n[parameters: {who._asdict()}]\n(Background on this error at: https://sqlalche.me)"
    for message in (duplicate, row, bound, f"bad value {who.name!r}"):
        assert PII.search(redact_error(message)) is None
        assert who.name not in redact_error(message)
    out = io.StringIO()
    csv.writer(out).writerow(who)
    for raw in (out.getvalue().encode(), str(who._asdict()).encode(), b"\x80\x04" + who.name.encode()):
        head = redact_raw(raw)
        assert len(head) <= 200
        assert not any(word in head for word in who.name.split()[:2])


@given(st.uuids(), st.uuids(), st.integers(0, 2**64 - 1), befores, afters)
# Two that look like bank accounts with the right check digits.
@example(UUID("9c546496-be47-cc7a-4460-56bfb6aafae5"), UUID("cf99874e-9530-adcb-4b2f-e095b91b3462"), 1, "", "")
@example(UUID("cf99874e-9530-adcb-4b2f-e095b91b3462"), UUID("9c546496-be47-cc7a-4460-56bfb6aafae5"), 1, "", "")
@settings(max_examples=300)
def test_no_id_is_harmed(one: Any, other: Any, span: int, before: str, after: str) -> None:
    parent = f"00-{one.hex}-{span:016x}-01"
    for text in (str(one), str(one).upper(), one.hex, parent, f"acme:report:{one}:12", f"acme/reports/{one}/v1/3.csv"):
        assert redact_text(f"{before}{text}{after}") == f"{before}{text}{after}"
    event = {"job_id": one, "trace_id": other.hex, "span_id": f"{span:016x}", "traceparent": parent, "id": str(other)}
    assert redact(event) == event | {"job_id": str(one)}


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-22T19:03:00.123456+00:00 took 12345678 us",
        "127.0.0.1:43210 answered 204",
        "job lost its lease: fencing token 5 is no longer the newest",
        "1763838190123",  # milliseconds since 1970 are no card
        "invoice 2025-000042, version 3, 1234567890 cents",
        "4111111111111112",  # sixteen digits without the check digit of a card
        "POST /v1/reports?format=csv 202",
    ],
)
def test_figures_and_times_are_no_personal_data(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET http://127.0.0.1:9000/b/k?expires=17&signature=Zm9v-YmFy_", "Zm9v-YmFy_"),
        ("GET https://s3/k?X-Amz-Credential=AKIA%2F1&X-Amz-Signature=deadbeef", "deadbeef"),
        ("OBJECT_STORE_URL http://127.0.0.1:1/artifacts?secret=hush", "hush"),
        ("postgresql://billing:hunter2@127.0.0.1/db is down", "hunter2"),
        ("Authorization: Bearer tok_acme_abcdef0123456789", "tok_acme_abcdef0123456789"),
        ("token tok_acme_0123456789abcdef0123456789abcdef rejected", "tok_acme"),
        ("signed with whsec_c2VjcmV0c2VjcmV0", "whsec_c2"),
        ('{"password": "hunter2"}', "hunter2"),
        ("card 4111 1111 1111 1111 refused", "4111"),
        ("call (0151) 1234 5678 or 555-123-4567", "5678"),
        ("IBAN DE89 3704 0044 0532 0130 00 was closed", "3704"),
    ],
)
def test_a_secret_in_a_text_is_gone_and_the_rest_stays(text: str, secret: str) -> None:
    assert secret not in redact_text(text)
    assert GONE in redact_text(text)
    assert redact_text(text).startswith(text.split()[0].split("=")[0].split("?")[0][:10].split('"pass')[0])


def test_what_follows_an_iban_is_not_lost() -> None:
    for account in ("DE89 3704 0044 0532 0130 00", "ES91 2100 0418 4502 0005 1332", "NO93 8601 1117 947"):
        assert redact_text(f"IBAN {account} was closed") == f"IBAN {GONE} was closed"


@pytest.mark.parametrize("key", ["email", "customerEmail", "X-Api-Token", "Authorization", "holder_name", "set-cookie"])
def test_values_under_telling_keys_are_dropped(key: str) -> None:
    assert redact({key: "anything at all"}) == {key: GONE}


@pytest.mark.parametrize("key", ["emails", "job_id", "natural_key", "fencing_token", "filename", "queue", "tenant"])
def test_other_keys_are_not_telling(key: str) -> None:
    assert not is_telling(key)


def test_our_own_words_survive_their_apostrophes() -> None:
    text = "the store can't be reached, so it wasn't written; 'report.export' waits"
    assert redact_error(text) == text


def test_depth_and_length_have_an_end() -> None:
    nested: dict[str, Any] = {"a": "x" * 5000}
    for _ in range(50):
        nested = {"more": nested}
    assert len(str(redact(nested))) < 200
    assert len(redact({"a": "x" * 5000})["a"]) == 2000
