"""Free TCP ports on 127.0.0.1, none of which two runs are given at the same time."""

import os
import random
import socket
from collections import deque

from accepted.stack.errors import Problem

# Below the range that Linux (32768) and macOS (49152) hand to outgoing connections: a port from there can be taken by
# any client between our look and the server's bind.
LOWEST, HIGHEST = 20_000, 32_000
# Seconds go by until a server listens on what it was given, and again while a fault has it down. So that no other run
# is given the same meanwhile, each port is held by UDP, which is in no TCP server's way and ends with this process.
HELD = 256  # the newest: a process that lives long has no need of its oldest
_held: deque[int] = deque()  # file descriptors
_choice = random.SystemRandom()  # two runs that start at once must not walk the same sequence


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def answers(port: int, timeout: float = 1.0) -> bool:
    """Whether something accepts connections on 127.0.0.1:port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that nothing listens on."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """`count` different ports that nothing listens on, and that nobody else who asks here is given while we live."""
    found: set[int] = set()
    for port in _choice.sample(range(LOWEST, HIGHEST), k=HIGHEST - LOWEST):
        if len(found) == count:
            break
        if is_free(port) and _hold(port):
            found.add(port)
    if len(found) < count:
        raise Problem("no free port", f"all of 127.0.0.1:{LOWEST}-{HIGHEST} is taken", "Stop what listens there.")
    return list(found)


def _hold(port: int) -> bool:
    """Whether no process holds it yet; from now on this one does."""
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claim.bind(("127.0.0.1", port))
    except OSError:
        claim.close()
        return False
    _held.append(claim.detach())
    while len(_held) > HELD:
        os.close(_held.popleft())
    return True


def require_free(port: int, setting: str) -> int:
    """`port` itself, or a Problem that names `setting`, the way to choose another."""
    if not 1 <= port <= 65535:
        raise Problem(f"port {port} does not exist", "ports go from 1 to 65535", f"Choose another: {setting}.")
    if not is_free(port):
        why = "another program listens there" if answers(port) else "this user may not listen there"
        raise Problem(f"port {port} on 127.0.0.1 is taken", why, f"Stop it, or choose another port: {setting}.")
    return port
