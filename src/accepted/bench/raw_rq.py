"""Raw RQ jobs that do nothing: by the system's own worker class, which does not fork, and by stock `rq worker`s."""

from accepted.bench.bare_rq import Bare
from accepted.bench.beside import WORKERS
from accepted.bench.drain import drained
from accepted.bench.measure import Bound
from accepted.stack.child import Spec
from accepted.stack.run import Stack

JSON = "--serializer rq.serializers.JSONSerializer"


class _Rq:
    """See `beside.Raw`."""

    name: str
    what: str
    jobs: int
    bound: Bound
    command: str
    instances = 1

    def __init__(self, stack: Stack) -> None:
        self.broker = Bare(stack.env["BROKER_URL"])
        spec = Spec(self.name, self.command, env={"RQ_REDIS_URL": stack.env["BROKER_URL"]})
        stack.runner.add(spec, self.instances)

    def clear(self) -> None:
        self.broker.empty(self.name)

    def workers(self) -> int:
        return int(self.broker.redis.scard(f"rq:workers:{self.name}"))

    def rate(self, count: int) -> float:
        return drained(self.broker, self.name, self._done, count)

    def close(self) -> None:
        self.broker.close()

    def _done(self) -> int:
        """What the queue's workers say that they have done."""
        redis = self.broker.redis
        keys = redis.smembers(f"rq:workers:{self.name}")
        return sum(int(redis.hget(key, "successful_job_count") or 0) for key in keys)


class SameClass(_Rq):
    name, what, jobs, bound = "raw", "jobs/s, same worker class", 1500, Bound("least", 0.5)
    command = f"rq worker-pool --quiet --num-workers {WORKERS} {JSON} --worker-class app.on_rq.worker.Worker raw"


class Stock(_Rq):
    name, what, jobs, bound = "stock", "jobs/s, stock rq worker", 300, Bound("least", 2.0)
    command = f"rq worker --quiet {JSON} stock"
    instances = WORKERS
