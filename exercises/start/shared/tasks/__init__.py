"""The work itself: one handler for each kind. A handler takes a Claim and returns the job's result, ids and figures
only; it loads fresh rows by the ids in `job.args`:

report.export     report_id
webhook.fanout    invoice_id, version, type
webhook.deliver   invoice_id, version, type, subscriber_id
email.send        invoice_id, version
payout.send       payout_id
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..core import Claim
from . import emails, noop, payouts, reports, webhooks

HANDLERS: Mapping[str, Callable[[Claim], dict[str, Any]]] = {
    "report.export": reports.export,
    "webhook.fanout": webhooks.fanout,
    "webhook.deliver": webhooks.deliver,
    "email.send": emails.send,
    "payout.send": payouts.send,
    "noop": noop.run,
}
