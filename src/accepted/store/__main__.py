"""`python -m accepted.store --port P --root DIR --secret S [--log FILE]`: run the object store on
127.0.0.1.
"""

import argparse
import fcntl
import os
from pathlib import Path

from aiohttp import web

from accepted.listening import allow_many_connections, listen
from accepted.store.layout import Layout
from accepted.store.requestlog import RequestLog
from accepted.store.web import build


def own(root: Path) -> int:
    """Take the folder for this process alone. Returns the lock's file descriptor; SystemExit where it can't
    be had.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(f"{root} is in use by another store: stop it or pass --root DIR") from None
    except OSError as err:
        raise SystemExit(f"cannot write to {root}: {err.strerror}; pass --root DIR elsewhere") from None
    return lock


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m accepted.store", description=__doc__)
    ask.add_argument("--port", type=int, required=True, help="0 takes a free one; the first line printed says which")
    ask.add_argument("--host", default="127.0.0.1", help="0.0.0.0 in a container (default: %(default)s)")
    ask.add_argument("--root", type=Path, required=True, help="the folder that holds the buckets")
    ask.add_argument("--secret", default=os.environ.get("STORE_SECRET"), help="signs requests (or STORE_SECRET)")
    ask.add_argument("--log", type=Path, help="append a JSON line per request to this file")
    asked = ask.parse_args()
    if not asked.secret:
        raise SystemExit("the store needs a secret to check signatures: pass --secret S or set STORE_SECRET")
    allow_many_connections()
    own(asked.root)
    app = build(Layout(asked.root), asked.secret, RequestLog(asked.log))
    sock = listen(asked.port, asked.host)
    print(f"store listens on http://{asked.host}:{sock.getsockname()[1]}", flush=True)
    web.run_app(app, sock=sock, backlog=4096, access_log=None, shutdown_timeout=5.0, print=None)


if __name__ == "__main__":
    main()
