"""A deployment of the contract that is up already, as its clients know it: by HTTP alone.

Nobody sees the provider's ledger from here, or the broker. A job is taken at its own word: what it says has succeeded
counts as done, and how often it was done can't be told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from accepted.load.plan import OF_AN_INVOICE, Objects
from accepted.load.seen import UNFINISHED, WITNESSED, Seen
from accepted.stack.errors import Problem

UNSEEN = ("relay", "growth", "duplicated", "phantom")  # metrics that HTTP says nothing of
PAGE = 200
_EFFECT = {**WITNESSED, "webhook.deliver": "webhook"}


class Deployment:
    """`with Deployment(url, tenants) as there:`; `tenants` is what `read_tenants` found. Raises Problem where it does
    not answer as the contract says."""

    def __init__(self, url: str, tenants: Mapping[str, Objects]) -> None:
        self.url, self.tenants = url.rstrip("/"), tenants
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def clock(self) -> float:
        """The time there, in seconds since the epoch, cut to whole ones: RFC 9110 has every answer say it."""
        try:
            told = self.http.get("/readyz").headers["Date"]
            return parsedate_to_datetime(told).timestamp()
        except (httpx.HTTPError, KeyError, ValueError) as error:
            raise _away(self.url, f"GET /readyz: {type(error).__name__} {error}") from error

    def objects(self, needed: Mapping[str, int]) -> dict[str, Objects]:
        """Of each tenant so many invoices that nobody was told of yet: told twice, it would be the same work."""
        found = {}
        for tenant, many in needed.items():
            of = self.tenants.get(tenant)
            if of is None:
                cure = f"Write its token into the file of --tenants, as `{tenant}: {{token: …}}`."
                raise Problem(f"no token for the tenant {tenant}", "the scenario works for it", cure)
            told = {job["natural_key"] for kind in OF_AN_INVOICE if many
                    for job in self._pages(tenant, "/jobs", "jobs", kind=kind)}  # fmt: skip
            invoices: list[tuple[int, int]] = []
            pages = self._pages(tenant, "/v1/invoices", "data") if many else iter(())
            while len(invoices) < many and (each := next(pages, None)):
                words = {"tenant": tenant, "invoice": each["id"], "version": each["version"]}
                used = any(key.format(**words) in told for key in OF_AN_INVOICE.values())
                if each["status"] != "draft" and not used:
                    invoices.append((each["id"], each["version"]))
            found[tenant] = Objects(of.token, invoices, of.accounts)
        return found

    def unfinished(self, ours: frozenset[str]) -> dict[str, tuple[str, int]]:
        """Of our jobs and their children, those that are not over: (state, number of its newest event).

        By state first, which is little to read. Who goes from one state to the next between two pages is on neither,
        so that only a list of all of them, whose order no state changes, can say that there are none.
        """
        by_state = (
            job for tenant in self.tenants for state in UNFINISHED
            for job in self._pages(tenant, "/jobs", "jobs", state=state)
            if {job["id"], job["parent_id"]} & ours
        )  # fmt: skip
        return _standing(by_state) or _standing(job for job in self.jobs(ours) if job["state"] in UNFINISHED)

    def jobs(self, ours: frozenset[str]) -> list[dict[str, Any]]:
        """Ours and their children, which are newer than they: the newest come first, until none of ours is missing."""
        found = []
        for tenant in self.tenants:
            missing = set(ours)
            for job in self._pages(tenant, "/jobs", "jobs"):
                if {job["id"], job["parent_id"]} & ours:
                    found.append(job)
                    missing.discard(job["id"])
                if not missing:
                    break
        return found

    def _pages(self, tenant: str, path: str, rows: str, **query: str) -> Iterator[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.tenants[tenant].token}"}
        cursor: str | None = ""
        while cursor is not None:
            asked = {**query, "limit": f"{PAGE}", **({"cursor": cursor} if cursor else {})}
            try:
                answer = self.http.get(path, params=asked, headers=headers).raise_for_status()
                page = answer.json()
                yield from page[rows]
                cursor = page["next"]
            except httpx.HTTPStatusError as error:
                cure = "Look at its token in the file of --tenants." if error.response.status_code == 401 else None
                raise _away(self.url, f"GET {path} was answered with {error.response.status_code}", cure) from error
            except (httpx.HTTPError, ValueError, KeyError) as error:
                raise _away(self.url, f"GET {path}: {type(error).__name__} {error}") from error


def _standing(jobs: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
    return {job["id"]: (job["state"], job["seq"]) for job in jobs}


def _away(url: str, why: str, cure: str | None = None) -> Problem:
    return Problem(f"{url} does not answer by the contract", why, cure or f"Try: curl -i {url}/readyz")


def read_tenants(path: Path) -> dict[str, Objects]:
    """`TENANT: {token: …, accounts: [ids that are paid in EUR]}`, as YAML. Raises Problem."""
    shape = "TENANT: {token: …, accounts: [1, 2]}"
    try:
        told = yaml.safe_load(path.read_text())
        return {
            tenant: Objects(str(each["token"]), (), [int(account) for account in each.get("accounts", ())])
            for tenant, each in told.items()
        }
    except OSError as error:
        raise Problem(f"{path} can't be read", f"{error.strerror}", f"Write it, as {shape}") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Problem(f"{path} does not name tenants", f"{type(error).__name__}: {error}", f"Write {shape}") from error


def seen(jobs: Sequence[Mapping[str, Any]], accepted: Mapping[str, float]) -> list[Seen]:
    """Our jobs with their children. `accepted`: when our client had its answer, in seconds since the epoch, by job.

    Only spans are taken from the deployment's clock, and laid from there: the two clocks need not agree.
    """
    children: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for job in jobs:
        if job["parent_id"]:
            children[job["parent_id"]].append(job)
    found = []
    for job in jobs:
        if job["id"] in accepted:
            shift = accepted[job["id"]] - _epoch(job["accepted_at"])
            own = tuple(_one(child, shift) for child in children[job["id"]])
            found.append(_one(job, shift, own))
    return found


def _one(job: Mapping[str, Any], shift: float, children: tuple[Seen, ...] = ()) -> Seen:
    started, over = ((_epoch(job[name]) + shift if job.get(name) else None) for name in ("started_at", "finished_at"))
    result = job.get("result") or {}
    return Seen(
        job["id"], job["kind"], job["natural_key"], job["state"], None, started, over, job["attempts"],
        job["state"] == "succeeded", bool(result.keys() & {"superseded_by", "skipped"}),
        int((job.get("children") or {}).get("total", 0)), children,
    )  # fmt: skip


def effects(found: Iterable[Seen]) -> Counter[tuple[str, str]]:
    """One for each that says it has succeeded."""
    told: Counter[tuple[str, str]] = Counter()
    for job in found:
        for one in (job, *job.children):
            if one.state == "succeeded" and one.kind in _EFFECT and not one.superseded:
                told[_EFFECT[one.kind], one.key] = 1
    return told


def older(jobs: Iterable[Mapping[str, Any]], ours: frozenset[str], began: float) -> int:
    """How many of ours were accepted before the run `began`, by the deployment's own clock: work that somebody had
    asked for already is answered with the job of then."""
    return sum(job["id"] in ours and _epoch(job["accepted_at"]) < began for job in jobs)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
