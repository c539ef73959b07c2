"""noop: no work at all, with every guarantee on. It is what the benches measure the guarantees by."""

from typing import Any

from .. import effects
from ..core import Claim, Receipt


def run(claim: Claim) -> dict[str, Any]:
    effects.once(claim.job.natural_key, Receipt, claim=claim)
    return {}
