"""`python -m tests.loop.watching TREE EXERCISES RESULTS [--json]`: the watch, on exercises that take no time."""

import fcntl
import os
import sys
import termios
from pathlib import Path

from accepted.demo.screen import Screen
from accepted.loop import watch as watching
from accepted.loop.watch import Watch
from accepted.loop.work import opened

if __name__ == "__main__":
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal
    watching.LEAVING = float(os.environ.get("LEAVING", watching.LEAVING))
    tree, exercises, results, *more = sys.argv[1:]
    as_json = more == ["--json"]
    watch = Watch(opened(Path(tree)), None, "rq", 1, Path(results), Screen(quiet=as_json), as_json, Path(exercises))
    sys.exit(watch.run())
