"""What no app may accept, and how it has to say so."""

from datetime import timedelta
from typing import Any

from accepted.grade.stage import OTHER, Stage
from billing.seed import PERIOD

REPORT = {"format": "csv", "from": f"{PERIOD[0]}", "to": f"{PERIOD[0] + timedelta(days=30)}"}


def requests(stage: Stage) -> list[tuple[str, tuple[int, ...], dict[str, Any]]]:
    """(what is wrong, the statuses that say so, the request)."""
    good = stage.payout()
    key = f"bad-{stage.seed}"
    reports, payouts = "/v1/reports", "/v1/payouts"
    backwards = {**REPORT, "from": REPORT["to"], "to": REPORT["from"]}
    return [
        ("a body that is not JSON", (400,), {"path": reports, "raw": b'{"format": '}),
        ("a list for a body", (422,), {"path": reports, "body": [REPORT]}),
        ("a format that nobody makes", (422,), {"path": reports, "body": {**REPORT, "format": "docx"}}),
        ("a day that no calendar has", (422,), {"path": reports, "body": {**REPORT, "to": "2025-02-31"}}),
        ("a period that ends before it begins", (422,), {"path": reports, "body": backwards}),
        ("a field that nobody knows", (422,), {"path": reports, "body": {**REPORT, "colour": "red"}}),
        ("no Idempotency-Key, for money", (400,), {"path": payouts, "body": good}),
        ("a negative amount", (422,), {"path": payouts, "body": {**good, "amount_cents": -1}, "key": f"{key}-1"}),
        ("an amount in words", (422,), {"path": payouts, "body": {**good, "amount_cents": "all"}, "key": f"{key}-2"}),
        ("an account of another tenant", (404,), {"path": payouts, "body": _theirs(stage, good), "key": f"{key}-3"}),
        ("an invoice that is not there", (404,), {"path": "/v1/invoices/999999999/email", "body": {}}),
    ]


def _theirs(stage: Stage, good: dict[str, Any]) -> dict[str, Any]:
    account = stage.value("SELECT min(id) FROM payout_accounts WHERE tenant_id = %s", OTHER)
    return {**good, "account_id": account}
