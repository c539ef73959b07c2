"""A folder in the machine's memory for servers' data, where a run's end is the data's end as well.

What is killed there are processes, never the machine, so a commit means the same in memory; and a database is three
hundred files, which a disk takes its time to make and to sync.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accepted.stack.tether import Tether

SHARED = Path("/dev/shm")  # noqa: S108  (what is made there has a name of its own)
ROOM = 4 * 2**30  # bytes: twice what PostgreSQL's log may grow to


@contextmanager
def folder_in_memory(run: str, tether: Tether, otherwise: Path) -> Iterator[Path]:
    """A new folder that is gone afterwards, or `otherwise` where the machine has no memory for it."""
    if not SHARED.is_dir() or shutil.disk_usage(SHARED).free < ROOM:
        yield otherwise
        return
    # What cannot be removed is no reason to fail, as with a server's own folder.
    with tempfile.TemporaryDirectory(prefix=f"accepted-{run}-", dir=SHARED, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL may run as somebody else
        tether.hold_folder(folder)
        yield folder
