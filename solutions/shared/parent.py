"""Whoever is somebody's child ends with its parent, however that ends: an orphan is a worker that nobody counts and
nobody stops."""

import ctypes
import os
import signal
import sys

_SET_DEATH_SIGNAL = 1


def leave_with_it(parent: int | None = None) -> None:
    """Where the parent dies, the kernel sends us SIGTERM: we go when our job is done. It lasts through exec.

    `parent`: its pid; where it is gone already, this process ends at once. On Linux only; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
        if parent is not None and os.getppid() != parent:
            sys.exit("the process that started this worker is gone")
