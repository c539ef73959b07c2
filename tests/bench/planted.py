"""Benches with a known outcome. Each measures for real: counting under a lock, beside counting with a pause."""

import threading
import time

from accepted.bench.aside import Aside
from accepted.bench.measure import Bound, Figure, Invalid, ratios
from accepted.bench.room import Room, paired

GET = {"label": "GET", "method": "GET", "path": "/", "headers": {}}


def _rate(pause: float) -> float:
    done, end = 0, time.perf_counter() + 0.1
    while time.perf_counter() < end:
        time.sleep(pause)
        done += 1
    return done / 0.1


def _run(room: Room, system: float, bare: float) -> tuple[list[Figure], dict[str, str]]:
    pairs = paired(room.rounds, lambda n: _rate(system), lambda n: _rate(bare))
    room.say(f"planted: {room.rounds} rounds")
    return [Figure("planted", "turns/s", "×", ratios(pairs), Bound("least", 0.5))], {"fsync": "on"}


class Slow:
    """The system takes four times as long."""

    @staticmethod
    def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
        return _run(room, 0.008, 0.002)


class Fair:
    """Both do the same."""

    @staticmethod
    def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
        return _run(room, 0.003, 0.003)


class Empty:
    """Nothing comes of it."""

    @staticmethod
    def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
        raise Invalid("planted: no answer was counted")


def endless() -> None:
    """Run as a program: `accepted bench` with a bench that starts a process beside and then waits to be stopped."""
    import os
    import socket
    import sys
    from pathlib import Path

    from accepted.bench import command
    from accepted.stack.logs import Logs
    from accepted.stack.runner import Runner
    from accepted.stack.tether import Tether

    class Endless:
        @staticmethod
        def run(room: Room) -> tuple[list[Figure], dict[str, str]]:
            silent = socket.create_server(("127.0.0.1", 0))  # so the process beside waits for a minute, too
            spec = {"port": silent.getsockname()[1], "requests": [GET], "warm_up": 0, "seconds": 60, "rate": None}
            tether = Tether(f"planted-{os.getpid()}")
            logs = Logs(Path(sys.argv[1]))
            runner = Runner(env=os.environ, cwd=Path.cwd(), logs=logs, tether=tether)
            try:
                with Aside(runner, "http_load", {**spec, "connections": 1}) as aside:
                    room.say(f"beside {aside.pid}")
                    threading.Event().wait(60)
            finally:
                silent.close()
                runner.close()
                tether.release()
            return [], {}

    sys.modules["endless_bench"] = Endless  # type: ignore[assignment]
    command.BENCHES["endless"] = "endless_bench"
    command.bench(["endless"])


if __name__ == "__main__":
    endless()
