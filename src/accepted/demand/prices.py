"""What an hour of each part costs, and so a million jobs. Pure but for the reading."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from accepted.load.reading import documents

PARTS = ("web", "relay", "scheduler", "database")  # one of each, whatever the load


@dataclass(frozen=True)
class Prices:
    """Currency per hour and instance. `example`: made up, which every table has to say."""

    currency: str
    example: bool
    worker: float
    parts: Mapping[str, float]
    broker: Mapping[str, float]  # by backend

    def hour(self, backend: str, workers: int) -> float:
        """Everything that runs, for an hour."""
        return workers * self.worker + sum(self.parts.values()) + self.broker[backend]

    def million(self, backend: str, workers: int, load: float) -> float:
        """A million jobs that come at `load` a second to so many workers."""
        return self.hour(backend, workers) / (load * 3600) * 1e6


def load(path: Path, schema: Path) -> Prices:
    """Raises Problem, with the line of what is wrong."""
    data = documents(path, schema)[0].data
    hour = data["per_hour"]
    parts = {name: float(hour[name]) for name in PARTS}
    broker = {name: float(price) for name, price in hour["broker"].items()}
    return Prices(data["currency"], data["example"], float(hour["worker"]), parts, broker)
