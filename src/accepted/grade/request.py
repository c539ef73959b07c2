"""What one process asks of the one that runs the checks."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Request:
    """What to grade. `told`: the file descriptor to write JSON lines to; `evidence`: the folder for whole timelines,
    which people will find in `shown`; `foreign`: the tree is somebody's own app."""

    exercise: str
    tree: str
    backend: str
    seed: int
    told: int
    evidence: str
    shown: str
    foreign: bool

    def write(self, path: Path) -> Path:
        path.write_text(json.dumps(asdict(self)))
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        return cls(**json.loads(path.read_text()))
