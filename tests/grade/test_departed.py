"""A message that is put back after a kill is nobody's who is dead."""

import os
import threading
from pathlib import Path

from accepted.grade.departed import departed
from accepted.grade.messages import CeleryRedis, Message
from accepted.stack import processes
from accepted.stack.child import Spec
from accepted.stack.logs import Logs
from accepted.stack.redis import Redis
from accepted.stack.runner import Runner
from accepted.stack.tether import Tether

WAITS = "import redis, sys; redis.Redis.from_url(sys.argv[1]).brpop('payouts', 0)"


def test_a_killed_worker_has_been_missed_before_anything_is_put_back(
    redis_server: Redis, redis_url: str, tether: Tether, tmp_path: Path
) -> None:
    raw, logs, thawed = CeleryRedis(redis_url), Logs(tmp_path), threading.Event()
    runner = Runner(env=os.environ, cwd=tmp_path, logs=logs, tether=tether)
    runner.add(Spec("worker-io", f'python -c "{WAITS}" {redis_url}', restart="never"))

    def thaw() -> None:
        thawed.set()
        redis_server.thaw()

    def killed() -> None:
        """The broker is busy with something else just now."""
        redis_server.freeze()
        runner.kill("worker-io")
        threading.Timer(0.3, thaw).start()

    try:
        runner.start()
        assert processes.until(lambda: bool(raw.waiters()), 60), "it waits for a message"
        departed(runner, ["worker-io"], raw, killed)
        assert thawed.is_set() and not raw.waiters()
        raw.put(Message("payouts", {"properties": {}}))
        assert raw.lengths() == {"payouts": 1}
    finally:
        runner.close()
        logs.close()
