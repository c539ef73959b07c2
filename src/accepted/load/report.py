"""placeholder"""

from pathlib import Path


def report(folder: Path) -> Path:
    return folder
