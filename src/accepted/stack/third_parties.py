"""The simulated partner and the local object store, as processes of a run."""

import secrets
import shlex
from dataclasses import dataclass
from pathlib import Path

from accepted.stack.child import Spec
from accepted.stack.health import Http

NAMES = ("partner", "store")


@dataclass(frozen=True)
class ThirdParties:
    """Their Specs, and their URLs for the contract."""

    partner: Spec
    partner_url: str
    store: Spec
    store_url: str


def third_parties(folder: Path, partner: int, store: int) -> ThirdParties:
    """Both on these ports, their files in `folder`."""
    secret = secrets.token_urlsafe(18)
    ledger, objects = shlex.quote(str(folder / "ledger.jsonl")), shlex.quote(str(folder / "objects"))
    return ThirdParties(
        Spec("partner", f"python -m accepted.partner --port {partner} --ledger {ledger}", health=Http(partner)),
        f"http://127.0.0.1:{partner}",
        Spec(
            "store",
            f"python -m accepted.store --port {store} --root {objects} --secret={secret}",
            health=Http(store),
        ),
        f"http://127.0.0.1:{store}/artifacts?secret={secret}",
    )
