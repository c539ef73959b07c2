"""The listening socket of the kit's own small servers (partner, object store)."""

import contextlib
import errno
import resource
import socket


def listen(port: int, host: str = "127.0.0.1", backlog: int = 4096) -> socket.socket:
    """A socket that already listens on `host`:`port` (0: any free one, ask `getsockname()`).

    Listening before the server is built means that whoever reads our first line of output can connect at once.
    Raises SystemExit with one line for people when the port cannot be had.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(backlog)
    except (OSError, OverflowError) as err:
        sock.close()
        if isinstance(err, OSError) and err.errno == errno.EADDRINUSE:
            raise SystemExit(f"port {port} is taken by another process: pass --port 0 for a free one") from None
        raise SystemExit(f"cannot listen on {host}:{port}: {err}; pass --port 0 for a free one") from None
    sock.setblocking(False)
    return sock


def allow_many_connections() -> None:
    """Lift this process's soft limit of open files to its hard one: thousands of slow calls are ordinary here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS says "unlimited" and takes no such number
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
