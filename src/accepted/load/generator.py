"""The load generator, a process of its own: `python -m accepted.load.generator PLAN SENT`.

Locust is the client; its one user is the pacer. Locust's own figures count from the moment of sending; they are handed
on, and never judged.

Every request has a fresh connection, as if each came from a client of its own. A kept-alive one that the server closes
just as it is used again would fail through no fault of the system's, and sending a POST a second time is not ours to
do: the server may have begun on the first.

It says a line of JSON on stdout twice a second, waits for a first line on stdin with the run's zero (seconds since the
epoch), and stops pacing at SIGTERM; what is under way is waited for. SENT gets a line for every arrival.
"""

import os
import sys

os.environ.setdefault("GEVENT_RESOLVER", "block")  # a numeric host needs no thread to look it up
from locust import FastHttpUser, task  # isort: skip  # first: it patches what the others import

import gc
import json
import signal
from pathlib import Path

import gevent
from locust.env import Environment

from accepted.load import team
from accepted.load.pacer import Pacer, dressed, locust_figures, prefer, say


def main(plan_file: str, sent_file: str) -> int:
    plan = json.loads(Path(plan_file).read_text())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if plan.get("workers", 1) > 1:
        return team.lead(plan, Path(sent_file))
    priority = prefer()

    with Path(sent_file).open("w") as sent:
        pacer = Pacer(dressed(plan["requests"]), plan["patience"], sent, plan.get("clients"))

        class Arrivals(FastHttpUser):  # type: ignore[misc]
            host = plan["host"]
            concurrency = len(plan["requests"]) + 1  # the pool may never make an arrival wait
            network_timeout = connection_timeout = plan["patience"]
            max_redirects = 0

            @task  # type: ignore[untyped-decorator]
            def pace(self) -> None:
                pacer.run(self.client)
                self.environment.runner.quit()

        environment = Environment(user_classes=[Arrivals])
        runner = environment.create_local_runner()
        page = environment.create_web_ui("127.0.0.1", plan["web"]) if plan.get("web") else None
        gevent.signal_handler(signal.SIGTERM, pacer.stopping.set)
        gc.collect()
        gc.disable()  # a pause of the collector would be a pause of the load; a run's garbage is small
        say(ready=True, priority=priority)
        pacer.zero = float(json.loads(sys.stdin.readline())["zero"])
        telling = gevent.spawn(pacer.tell, say)
        runner.start(1, spawn_rate=1)
        runner.greenlet.join()
        pacer.over.set()
        telling.join()
        if page:
            page.stop()
    warned = bool(getattr(runner, "cpu_warning_emitted", False))
    say(**pacer.last_words(), locust=locust_figures(environment), cpu_warning=warned)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
