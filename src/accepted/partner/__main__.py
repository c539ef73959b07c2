"""`python -m accepted.partner --port P [--ledger FILE]`: run the simulated third party on 127.0.0.1."""

import argparse
from pathlib import Path

from aiohttp import web

from accepted.listening import allow_many_connections, listen
from accepted.partner.journal import Journal
from accepted.partner.ledger import Ledger
from accepted.partner.web import build


def main() -> None:
    ask = argparse.ArgumentParser(prog="python -m accepted.partner", description=__doc__)
    ask.add_argument("--port", type=int, required=True, help="0 takes a free one; the first line printed says which")
    ask.add_argument("--host", default="127.0.0.1", help="0.0.0.0 in a container (default: %(default)s)")
    ask.add_argument("--ledger", type=Path, help="keep the ledger in this file and begin with what it holds")
    ask.add_argument("--hang-limit", type=float, default=600.0, help="seconds until even a hanging call is cut")
    asked = ask.parse_args()
    allow_many_connections()
    ledger = Ledger(Journal(asked.ledger) if asked.ledger else None)
    sock = listen(asked.port, asked.host)
    print(f"partner listens on http://{asked.host}:{sock.getsockname()[1]}", flush=True)
    web.run_app(
        build(ledger, asked.hang_limit),
        sock=sock,
        backlog=4096,
        access_log=None,
        handler_cancellation=True,  # so that a hanging call ends when its client leaves
        shutdown_timeout=1.0,
        print=None,
    )


if __name__ == "__main__":
    main()
