"""Made-up data, deterministic by seed, from a few rows to a million invoice lines; also `python -m billing.seed`."""

from .load import SCALES, AlreadySeeded, NotMigrated, Progress, Summary, TenantSummary, seed
from .people import PII
from .rows import PERIOD, token

__all__ = [
    "PERIOD",
    "PII",
    "SCALES",
    "AlreadySeeded",
    "NotMigrated",
    "Progress",
    "Summary",
    "TenantSummary",
    "seed",
    "token",
]
