"""What a check stands on: the tree running on servers of its own, and its users' and partners' side of things."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx
import psycopg

from accepted.faults.lines import Lines
from accepted.faults.proxy import Proxies
from accepted.grade.answer import Answer
from accepted.grade.booting import BOOT, does_not_run, is_the_trees
from accepted.grade.evidence import Moment
from accepted.grade.exercise import Exercise
from accepted.grade.verdict import Broken, Unknown
from accepted.stack import processes
from accepted.stack.environment import Addresses
from accepted.stack.errors import Problem
from accepted.stack.procfile import read
from accepted.stack.run import Stack
from billing.seed import token

if TYPE_CHECKING:
    from accepted.faults.store import HeldStore

T = TypeVar("T")
TENANT, OTHER = "acme", "globex"
# To read all of the machine's certificates takes longer than most answers, and plain HTTP on the loopback needs none.
PLAIN: dict[str, Any] = {"trust_env": False, "verify": False}
PATIENCE = 15.0  # s that a client waits for an answer, unless the check says otherwise
STALL = 20.0  # s that a machine may stall without a word being judged that was only late


class Stage:
    """`boot()` starts what the exercise needs; `close()` leaves nothing. `rng` is seeded: all chance comes from it."""

    stack: Stack
    http: httpx.Client
    proxies: Proxies
    store: "HeldStore"

    def __init__(self, exercise: Exercise, tree: Path, backend: str, seed: int, foreign: bool = False) -> None:
        self.exercise, self.tree, self.backend, self.seed = exercise, tree, backend, seed
        self._cwd = tree if foreign else None
        self.rng = Random(seed)
        self._done = ExitStack()
        self._references = 0
        self._acts: dict[Any, Any] = {}
        self._connection: psycopg.Connection[Any] | None = None
        self._up = False

    def boot(
        self, scale: Mapping[str, int] | None = None, proxied: Collection[str] = (), held_store: bool = False
    ) -> float:
        """Seconds that it took. `scale`: instances by process name. `proxied`: processes all of whose lines go through
        `proxies`. `held_store`: artifacts go to `store`, in the grader's own process. Raises Broken where the tree does
        not come up, Problem where a server does not."""
        began = time.monotonic()
        toml = self.exercise.toml
        env = dict(toml.env)
        if held_store:
            # Here, because it brings a web server's library along, for which most exercises have no use.
            from accepted.faults.store import HeldStore

            self.store = self._done.enter_context(HeldStore())
            env["OBJECT_STORE_URL"] = self.store.url
        lines: Callable[[str, Addresses], Mapping[str, str]] | None = None
        if proxied:
            self.proxies = self._done.enter_context(Proxies())
            every = Lines(self.proxies)

            def lines(name: str, where: Addresses) -> Mapping[str, str]:
                return every(name, where) if name in proxied else {}

        try:
            stack = Stack(
                self.tree, backend=self.backend, processes=toml.processes, seed="small", env=env, seconds=BOOT,
                grace=5.0, scale=scale, lines=lines, cwd=self._cwd, in_memory=True,
            )  # fmt: skip
            self.stack = stack
            self._done.enter_context(stack)
        except Problem as problem:
            if not is_the_trees(problem, read(self.tree / "Procfile")):
                raise
            raise does_not_run(problem, toml.processes, up=False) from problem
        self._up = True
        self.http = self._client(stack.addresses.web)
        self._partner = self._client(stack.addresses.partner)
        return time.monotonic() - began

    def close(self) -> None:
        if hasattr(self, "stack"):
            self.stack.hurry.set()  # how gracefully it ends is judged by nobody
        self._done.close()

    def _client(self, base: str) -> httpx.Client:
        return self._done.enter_context(httpx.Client(base_url=base, **PLAIN))

    # -- a user's side

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, seconds: float = PATIENCE,
        tenant: str | None = TENANT, raw: bytes | None = None, headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """One request. `raw` instead of `body` is sent as it stands. A user that gets no answer is told in `error`."""
        sent = {"Authorization": f"Bearer {token(tenant)}"} if tenant else {}
        if key is not None:
            sent["Idempotency-Key"] = f'"{key}"'
        sent |= {"Content-Type": "application/json"} if raw is not None else {}
        shown = f"{method} {path}" + (f" Idempotency-Key={key}" if key else "")
        content = {"content": raw} if raw is not None else {} if body is None else {"json": body}
        at, began = time.time(), time.perf_counter()
        try:
            got = self.http.request(method, path, headers={**sent, **(headers or {})}, timeout=seconds, **content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # the tree may have named the path
            return Answer(shown, at, (time.perf_counter() - began) * 1000, error=type(error).__name__)
        ms = (time.perf_counter() - began) * 1000
        try:
            said = got.json()
        except ValueError:
            said = None
        return Answer(shown, at, ms, got.status_code, got.headers, got.text, said)

    def asked(self, *request: Any, **more: Any) -> Answer:
        """As `ask`; who is told to come back (5xx) does so, a few times: one that is always refused stays refused."""
        for pause in (0.5, 1.0, 2.0):
            answer = self.ask(*request, **more)
            if answer.status < 500:
                return answer
            self.until(lambda: False, pause)
        return self.ask(*request, **more)

    def at_once(self, requests: Sequence[Mapping[str, Any]], side_by_side: int) -> list[Answer]:
        """Each is the arguments of `ask`; the answers come in the same order."""
        with ThreadPoolExecutor(side_by_side) as pool:
            return list(pool.map(lambda one: self.ask(**one), requests))

    def state(self, job: str) -> str:
        """The job's state as its user sees it; empty where nothing is answered."""
        for _ in range(2):  # "not now" and silence are a machine's answers, not a tree's
            answer = self.ask("GET", f"/jobs/{job}", seconds=STALL / 2)
            if answer.status not in (0, 503):
                break
        found = answer.body.get("job") if isinstance(answer.body, dict) else None
        return str(found.get("state", "")) if isinstance(found, dict) else ""

    def reference(self) -> str:
        """A fresh one for a payout."""
        self._references += 1
        return f"grade-{self.seed}-{self._references}"

    def payout(self, reference: str | None = None, account: int | None = None) -> dict[str, Any]:
        """A body that is good."""
        account = account or self.value("SELECT min(id) FROM payout_accounts WHERE tenant_id = %s", TENANT)
        return {"account_id": account, "amount_cents": 12_500, "currency": "EUR",
                "reference": reference or self.reference()}  # fmt: skip

    # -- what is seen from outside

    def value(self, statement: str, *values: object) -> Any:
        """The first column of the first row."""
        row = self._witness().execute(statement, values or None).fetchone()
        return row[0] if row else None

    def counts(self, *tables: str) -> dict[str, int]:
        """Rows in each."""
        asked = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
        row = self._witness().execute(f"SELECT {asked}").fetchone()
        return dict(zip(tables, map(int, row or ()), strict=True))

    def _witness(self) -> psycopg.Connection[Any]:
        """A connection of the grader's own."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.stack.addresses.database, connect_timeout=20, autocommit=True)
            self._done.callback(self._connection.close)
        return self._connection

    def played(self, act: Callable[[Self], T]) -> T:
        """What the act returns, or raises: it is played once, however many checks judge it."""
        if act not in self._acts:
            try:
                self._acts[act] = act(self)
            except Exception as error:
                self._acts[act] = error
        found = self._acts[act]
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Polls until it holds. Raises Broken once the tree does not stay up: what is waited for never comes."""

        def held() -> bool:
            if ended := self.ended():
                raise ended
            return holds()

        return processes.until(held, seconds, pause=0.03, longest=0.3)

    def ended(self) -> Broken | None:
        """The tree's fault, where it was up and a process of it has then ended at every start: nothing runs any more,
        the partner and the store included."""
        failure = self.stack.runner.failure if self._up else None
        if failure is None or not is_the_trees(failure, read(self.tree / "Procfile")):
            return None
        return does_not_run(failure, self.exercise.toml.processes, up=True)

    # -- faults

    def play(self, *rules: Mapping[str, object]) -> None:
        """The partner's faults from now on; none lifts them."""
        self._partner.put("/faults", json={"rules": list(rules)}, timeout=STALL).raise_for_status()

    def ledger(self, **wanted: str | int) -> dict[str, list[dict[str, Any]]]:
        """What the partner saw; `after` a seq, if that is given."""
        found: dict[str, list[dict[str, Any]]] = self._partner.get("/ledger", params=wanted, timeout=STALL).json()
        return found

    def seq(self) -> int:
        """The ledger's newest entry: what comes `after` it is new."""
        return max((one["seq"] for group in self.ledger().values() for one in group), default=0)

    def freeze_store(self) -> Moment:
        """The object store takes connections and answers nothing. Raises Unknown where it answers all the same."""
        self.stack.runner.freeze("store")
        base = self.stack.addresses.object_store.split("?")[0].rpartition("/")[0]
        try:
            httpx.get(f"{base}/healthz", timeout=0.3, **PLAIN)
        except httpx.TimeoutException:
            return Moment(time.time(), "the object store is frozen: it takes connections, and answers nothing")
        raise Unknown("the object store was to hang, and answered")

    def thaw_store(self) -> None:
        self.stack.runner.thaw("store")

    def logs(self, name: str) -> list[str]:
        """The last 40 lines of a process's own output."""
        try:
            lines = (self.stack.folder.logs / f"{name}.log").read_text(errors="replace").splitlines()
        except (OSError, AttributeError):
            return []
        return lines[-40:]
