"""Who answers for a queue, where they are found, and what whoever is on call does first. A queue without an owner is a
queue that nobody drains."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    team: str
    contact: str
    action: str


OWNERS = {
    "payouts": Owner(
        "Payments",
        "#payments-oncall",
        "Money: pause queue:payouts first, then read the dead letters. A requeue can't pay twice: the provider "
        "knows the key.",
    ),
    "emails": Owner(
        "Messaging", "#messaging-oncall", "Look at the e-mail provider's status page; requeue once it is up again."
    ),
    "webhooks": Owner(
        "Integrations",
        "#integrations-oncall",
        "ops dead-letters --by-endpoint shows whose endpoint is broken; tell that tenant, requeue by --endpoint.",
    ),
    "reports": Owner(
        "Reporting", "#reporting-oncall", "Slow is not broken: add CPU workers. Requeue resumes at the last step."
    ),
    "noops": Owner("Platform", "#platform-oncall", "Measurements only: purge at will."),
}
_NOBODY = Owner("Platform", "#platform-oncall", "This queue has no owner yet: name one in owners.py.")


def owner_of(queue: str) -> Owner:
    return OWNERS.get(queue, _NOBODY)
