"""The settings a run really had, read back from the processes and servers themselves."""

import contextlib
import os
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import psutil

from accepted.bench.effective import machine, servers
from accepted.load.samples import steal
from accepted.stack import processes
from accepted.stack.run import Stack

PATIENCE = 30.0  # s for the workers to come up
PROCESS_FLAGS = {"WEB_WORKERS": "--workers", "WEB_THREADS": "--threads"}


def odd(stack: Stack, declared: Mapping[str, str]) -> list[str]:
    """Where a running process has another setting than was declared, or a pool other workers; empty where all agree."""
    found = []
    for child in stack.runner.children():
        if child.spec.name in ("partner", "store") or child.pid is None:
            continue
        try:
            process = psutil.Process(child.pid)
            has, line = process.environ(), process.cmdline()
        except psutil.Error:
            continue
        found += [f"{child.name} has {name}={has.get(name)}, and {value} was declared"
                  for name, value in declared.items() if has.get(name) != value]  # fmt: skip
        if child.spec.name == "web":
            found += [f"web was started with {flag} {told}, and {declared[name]} was declared"
                      for name, flag in PROCESS_FLAGS.items()
                      if name in declared and (told := _flag(line, flag)) not in (None, declared[name])]  # fmt: skip
    for pool, name in (("worker-io", "IO_SLOTS"), ("worker-cpu", "CPU_SLOTS")):
        slots = int(declared.get(name, 0))
        if slots and not processes.until(partial(_has, stack, pool, slots), PATIENCE, 0.2):
            found.append(f"{pool} has {workers(stack, pool)} workers, and {name}={slots} was declared")
    return found


def _has(stack: Stack, pool: str, slots: int) -> bool:
    return workers(stack, pool) >= slots


def _flag(line: list[str], flag: str) -> str | None:
    return line[line.index(flag) + 1] if flag in line[:-1] else None


def workers(stack: Stack, pool: str) -> int:
    """The processes below the pool's leader; `slots` of a pool of threads can't be told apart so."""
    with contextlib.suppress(KeyError, psutil.Error):
        return sum(len(psutil.Process(pid).children(recursive=True)) for pid in stack.runner.pids(pool))
    return 0


def manifest(stack: Stack, declared: Mapping[str, str]) -> dict[str, Any]:
    """What somebody else must know to repeat the run, or to doubt it."""
    return {
        "machine": {**machine(), "load": os.getloadavg(), **steal()},
        "servers": servers(stack.env),
        "settings": {name: stack.env.get(name) for name in sorted(declared)},
        "pools": {pool: workers(stack, pool) for pool in ("worker-io", "worker-cpu")},
        "broker": re.sub(r"//.*@", "//…@", stack.addresses.broker),
    }
