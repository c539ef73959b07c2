"""Where the README's chart and the notebook's runs come from: a climb, made small."""

import os
import re
import shutil
from pathlib import Path

from accepted.ascent.climbing import PLACE, found, ship, whole
from accepted.notebooks.choosing import ONLY, SHIPPED, NoRun
from accepted.notebooks.shipping import copy

CHART = Path("diagrams", "before-after.svg")
CLIMB = SHIPPED / "before-after"
CAPTION = re.compile(r"(<!-- before-after -->\n).*?(?=\n<!-- /before-after -->)", re.S)


def publish(folder: Path, root: Path, text: str) -> None:
    """Chart, runs and the README's caption, each in place of the one before."""
    ship(folder, root / CLIMB, copy)
    shutil.copyfile(folder / "before-after.svg", root / CHART)
    readme = root / "README.md"
    readme.write_text(CAPTION.sub(lambda found: found[1] + text, readme.read_text()))


def climb(root: Path) -> Path:
    """The newest that has its both ends, else the one that is shipped, told in a line. Raises NoRun."""
    made = [] if os.environ.get(ONLY) == "shipped" else sorted((root / PLACE).glob("*/"), reverse=True)
    for folder in [*made, root / CLIMB]:
        if whole(folder):
            print(f"Made from {folder.relative_to(root)}: {len(list(found(folder)))} rungs")
            return folder
    why = f"neither {PLACE} nor {CLIMB} holds a whole one"
    raise NoRun("there is no before-and-after", why, "Make one with: make before-after")
