"""A Procrastinate app with one task that does nothing (`python -m accepted.bench.bare_procrastinate` is its worker)."""

import os

from procrastinate import App, PsycopgConnector

QUEUE, TASK = "peer", "noop"
AT_ONCE = 10  # jobs of one worker; with one at a time it is slower

app = App(connector=PsycopgConnector(conninfo=os.environ.get("DATABASE_URL", ""), max_size=AT_ONCE + 2))


@app.task(name=TASK, queue=QUEUE)
async def noop(job_id: str) -> None:
    pass


if __name__ == "__main__":
    app.run_worker(queues=[QUEUE], concurrency=AT_ONCE)
