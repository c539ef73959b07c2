"""Background work in one file: Flask, RQ, psycopg. Written from docs/contract.md; the tables are the contract's.

It makes no reports (who asks for one is told so), has no event streams, no leases: a lock of Postgres' own says whose
a job is, and goes with its holder. Its messages are RQ's usual pickles. Money, mail and webhooks are safe with it; that
was the point.
"""

import base64
import functools
import hashlib
import hmac
import json
import os
import random
import sys
import time
import uuid
from email.utils import parsedate_to_datetime

import httpx
import psycopg
from flask import Flask, Response, g, request
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator
from redis import Redis
from rq import Queue

BASE, CAP = float(os.environ.get("RETRY_BASE") or 1), float(os.environ.get("RETRY_CAP") or 60)
MOST = int(os.environ.get("MAX_ATTEMPTS") or 5)
PARTNER = os.environ.get("PARTNER_URL", "")
QUEUES = {"payout.send": "payouts", "email.send": "emails", "webhook.fanout": "webhooks", "webhook.deliver": "webhooks",
          "report.export": "reports"}  # fmt: skip
LOST = 1.0  # s after which a queued job without a message gets another


def db():
    return psycopg.connect(os.environ["DATABASE_URL"], row_factory=dict_row, connect_timeout=5)


@functools.cache
def broker():
    return Redis.from_url(os.environ["BROKER_URL"], socket_timeout=3, socket_connect_timeout=3)


def say(c, job, state, percent=0, message=""):
    """The job is in that state, and its history says so."""
    c.execute(
        "WITH j AS (UPDATE jobs SET state = %(state)s, percent = greatest(percent, %(percent)s), event_seq ="
        " event_seq + 1, message = %(message)s, finished_at = CASE WHEN %(state)s IN ('succeeded', 'failed') THEN"
        " clock_timestamp() END WHERE id = %(id)s RETURNING *) INSERT INTO job_events (job_id, seq, tenant_id, state,"
        " percent, message) SELECT id, event_seq, tenant_id, state, percent, message FROM j",
        {"state": state, "percent": percent, "message": message, "id": job},
    )


def publish(c, job):
    """Its message is promised with this transaction."""
    c.execute("INSERT INTO outbox (job_id, kind, aggregate, seq) SELECT id, kind, aggregate,"
              " seq + 1000000 * (SELECT count(*) FROM outbox WHERE job_id = jobs.id) FROM jobs WHERE id = %s",
              [job])  # fmt: skip


def accept(c, tenant, kind, key, args, aggregate, trace, parent=None):
    """A job by that natural key, new or already there."""
    c.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [f"{aggregate} {key}"])
    if found := c.execute("SELECT * FROM jobs WHERE natural_key = %s AND tenant_id = %s", [key, tenant]).fetchone():
        return found
    c.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))", [aggregate])
    seq = c.execute("SELECT coalesce(max(seq), 0) + 1 AS n FROM jobs WHERE aggregate = %s", [aggregate]).fetchone()["n"]
    row = c.execute(
        "INSERT INTO jobs (id, tenant_id, kind, natural_key, args, aggregate, seq, parent_id, trace_id, traceparent)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING *",
        [uuid.uuid4(), tenant, kind, key, json.dumps(args), aggregate, seq, parent, trace,
         f"00-{trace}-{os.urandom(8).hex()}-01"],
    ).fetchone()  # fmt: skip
    c.execute("INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message)"
              " VALUES (%s, 1, %s, 'queued', 0, '')", [row["id"], tenant])  # fmt: skip
    publish(c, row["id"])
    return row


# -- web: accepts, and answers questions


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Report(Body):
    format: str = Field(pattern="^(csv|pdf)$")
    first: str = Field(alias="from", pattern=r"^\d{4}-\d\d-\d\d$")
    last: str = Field(alias="to", pattern=r"^\d{4}-\d\d-\d\d$")

    @model_validator(mode="after")
    def in_order(self):
        for day in (self.first, self.last):
            time.strptime(day, "%Y-%m-%d")
        if self.first > self.last:
            raise ValueError("a period ends after it begins")
        return self


class Payout(Body):
    account_id: StrictInt
    amount_cents: StrictInt = Field(gt=0, lt=2**53)
    currency: str = Field(pattern="^[A-Z]{3}$")
    reference: str = Field(min_length=1, max_length=200)


class Change(Body):
    status: str = Field(pattern="^(draft|open|paid|void)$")


class Nothing(Body):
    pass


class Refused(Exception):
    def __init__(self, status, detail, **headers):
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


web = Flask(__name__)


@web.errorhandler(Refused)
def refused(problem):
    body = {"type": "about:blank", "status": problem.status, "detail": problem.detail, "trace_id": g.get("trace", "")}
    headers = {name.replace("_", "-"): value for name, value in problem.headers.items()}
    return Response(json.dumps(body), problem.status, headers, content_type="application/problem+json")


@web.errorhandler(404)
def nowhere(_):
    return refused(Refused(404, "Nothing lives here."))


@web.before_request
def who():
    given = request.headers.get("traceparent", "").split("-")
    g.trace = given[1] if len(given) == 4 and len(given[1]) == 32 else os.urandom(16).hex()
    if request.path == "/healthz":
        return
    token = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    with db() as c:
        row = c.execute("SELECT id FROM tenants WHERE token_hash = %s", [hashlib.sha256(token).hexdigest()]).fetchone()
    if row is None:
        raise Refused(401, "Who are you?")
    g.tenant = row["id"]


@web.get("/healthz")
def healthz():
    return "ok"


@web.get("/session")
def session():
    return {"tenant": g.tenant}


def shown(job):
    about = {name: job[name] for name in ("natural_key", "kind", "state", "percent", "message", "error", "trace_id")}
    return {"job": {"id": str(job["id"]), **about}, "links": {"self": f"/jobs/{job['id']}"}}


@web.get("/jobs")
def jobs():
    with db() as c:
        rows = c.execute("SELECT * FROM jobs WHERE tenant_id = %s ORDER BY accepted_at DESC LIMIT 50", [g.tenant])
        return {"jobs": [shown(row)["job"] for row in rows]}


@web.get("/jobs/<name>")
def job(name):
    with db() as c:
        row = c.execute("SELECT * FROM jobs WHERE id::text = %s AND tenant_id = %s", [name, g.tenant]).fetchone()
    if row is None:
        raise Refused(404, "There is no such job, or it is not yours.")
    over = row["state"] in ("succeeded", "failed", "cancelled")
    return shown(row), 200, {} if over else {"Retry-After": "1"}


def accepting(shape, work, key_required=False):
    """One transaction: subject, job, outbox row, and the answer to the same request again."""
    key = request.headers.get("Idempotency-Key", "").strip('"')
    if key_required and not key:
        raise Refused(400, "This needs an Idempotency-Key.")
    raw = request.get_data()
    try:
        read = json.loads(raw or b"{}")
    except ValueError:
        raise Refused(400, "This is not JSON.") from None
    try:
        body = shape.model_validate(read)
    except ValidationError as error:
        raise Refused(422, "; ".join(f"{one['loc']}: {one['msg']}" for one in error.errors())) from None
    mark, route = hashlib.sha256(request.path.encode() + b"\n" + raw).digest(), f"{request.method} {request.url_rule}"
    with db() as c:
        if key:
            lock = c.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 3)) AS mine",
                             [json.dumps([g.tenant, route, key])]).fetchone()  # fmt: skip
            if not lock["mine"]:
                raise Refused(409, "The first request with this key is still being worked on.", Retry_After="1")
            stored = c.execute("SELECT * FROM idempotency_keys WHERE tenant_id = %s AND route = %s AND key = %s",
                               [g.tenant, route, key]).fetchone()  # fmt: skip
            if stored and bytes(stored["fingerprint"]) != mark:
                raise Refused(422, "This key belongs to another request.")
            if stored:
                return answer(stored["body"]["text"], {**stored["headers"], "Idempotent-Replayed": "true"})
        row = work(c, body)
        text, headers = json.dumps(shown(row)), {"Location": f"/jobs/{row['id']}", "Retry-After": "1"}
        if key:
            c.execute("INSERT INTO idempotency_keys (tenant_id, route, key, fingerprint, status, headers, body)"
                      " VALUES (%s, %s, %s, %s, 202, %s, %s)",
                      [g.tenant, route, key, mark, json.dumps(headers), json.dumps({"text": text})])  # fmt: skip
    return answer(text, headers)


def answer(text, headers):
    return Response(text, 202, headers, content_type="application/json")


@web.post("/v1/reports")
def report():
    def work(c, body):
        name = uuid.uuid4()
        c.execute("INSERT INTO reports (id, tenant_id, format, period_from, period_to) VALUES (%s, %s, %s, %s, %s)",
                  [name, g.tenant, body.format, body.first, body.last])  # fmt: skip
        key = f"{g.tenant}:report:{name}:1"
        return accept(c, g.tenant, "report.export", key, {"report_id": str(name)}, f"report:{name}", g.trace)

    return accepting(Report, work)


@web.post("/v1/payouts")
def payout():
    def work(c, body):
        account = c.execute("SELECT 1 FROM payout_accounts WHERE id = %s AND tenant_id = %s",
                            [body.account_id, g.tenant]).fetchone()  # fmt: skip
        if account is None:
            raise Refused(404, "There is no such account, or it is not yours.")
        name = uuid.uuid4()
        made = c.execute("INSERT INTO payouts (id, tenant_id, account_id, amount_cents, currency, reference)"
                         " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
                         [name, g.tenant, body.account_id, body.amount_cents, body.currency,
                          body.reference])  # fmt: skip
        if made.fetchone() is None:
            raise Refused(409, "This reference is taken.")
        key, line = f"{g.tenant}:payout:{body.reference}:1", f"{g.tenant}:account:{body.account_id}"
        return accept(c, g.tenant, "payout.send", key, {"payout_id": str(name)}, line, g.trace)

    return accepting(Payout, work, key_required=True)


def invoice(c, number):
    row = c.execute("SELECT * FROM invoices WHERE id = %s AND tenant_id = %s FOR UPDATE", [number, g.tenant]).fetchone()
    if row is None:
        raise Refused(404, "There is no such invoice, or it is not yours.")
    return row


@web.post("/v1/invoices/<int:number>/email")
def email(number):
    def work(c, _):
        name = f"{g.tenant}:email:{number}:{invoice(c, number)['version']}"
        return accept(c, g.tenant, "email.send", name, {"invoice_id": number}, name, g.trace)

    return accepting(Nothing, work)


@web.put("/v1/invoices/<int:number>")
def change(number):
    def work(c, body):
        version = invoice(c, number)["version"] + 1
        c.execute("UPDATE invoices SET status = %s, version = %s WHERE id = %s", [body.status, version, number])
        name = f"{g.tenant}:fanout:{number}:{version}:invoice.updated"
        return accept(c, g.tenant, "webhook.fanout", name, {"invoice_id": number, "version": version}, name, g.trace)

    return accepting(Change, work)


# -- worker: one job, whoever else has its message


class Failed(Exception):
    """`after`: s that the partner asks to wait; None: our own choice. `final`: trying again is of no use."""

    def __init__(self, what, final=False, after=None):
        super().__init__(what)
        self.final, self.after = final, after


def run(job_id):
    """What the messages name. The lock is the session's: it goes with a worker that is killed."""
    with db() as c:
        c.autocommit = True
        row = c.execute("SELECT * FROM jobs WHERE id = %s", [job_id]).fetchone()
        if row is None or not c.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS mine",
                                        [row["natural_key"]]).fetchone()["mine"]:  # fmt: skip
            return
        row = c.execute("SELECT * FROM jobs WHERE id = %s", [job_id]).fetchone()
        before = c.execute("SELECT 1 FROM jobs WHERE aggregate = %s AND seq < %s AND finished_at IS NULL LIMIT 1",
                           [row["aggregate"], row["seq"]]).fetchone()  # fmt: skip
        if row["state"] not in ("queued", "running") or before:
            return
        say(c, job_id, "running")
        try:
            receipt = once(c, row)
        except (Failed, httpx.TransportError) as error:
            with c.transaction():
                gone_wrong(c, row, error)
            return
        with c.transaction():
            c.execute("INSERT INTO effects (natural_key, job_id, receipt) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                      [row["natural_key"], job_id, json.dumps(receipt)])  # fmt: skip
            finish(c, row, "succeeded")


def finish(c, row, state, message=""):
    say(c, row["id"], state, 100 if state == "succeeded" else 0, message)
    after = c.execute("SELECT id FROM jobs WHERE aggregate = %s AND seq > %s AND finished_at IS NULL ORDER BY seq"
                      " LIMIT 1", [row["aggregate"], row["seq"]]).fetchone()  # fmt: skip
    if after:
        publish(c, after["id"])


def gone_wrong(c, row, error):
    count = row["failures"] + 1
    what = str(error) if isinstance(error, Failed) else "the partner did not answer"
    about = json.dumps({"class": type(error).__name__, "message": what, "redacted": True})
    c.execute("UPDATE jobs SET failures = %s, error = %s WHERE id = %s", [count, about, row["id"]])
    if getattr(error, "final", False) or count >= MOST:
        c.execute("INSERT INTO dead_letters (job_id, tenant_id, kind, queue, natural_key, reason, error_class,"
                  " attempts, trace_id) VALUES (%s, %s, %s, %s, %s, 'failed', %s, %s, %s)",
                  [row["id"], row["tenant_id"], row["kind"], QUEUES[row["kind"]], row["natural_key"],
                   type(error).__name__, count, row["trace_id"]])  # fmt: skip
        finish(c, row, "failed", str(error))
        return
    wait = getattr(error, "after", None)
    wait = random.uniform(0, min(CAP, BASE * 2 ** (count - 1))) if wait is None else wait
    say(c, row["id"], "retrying", 0, str(error))
    c.execute("UPDATE jobs SET due_at = clock_timestamp() + %s * interval '1 s' WHERE id = %s", [wait, row["id"]])


def once(c, row):
    """The receipt of the effect by that natural key: an old one, or a new one."""
    done = c.execute("SELECT receipt FROM effects WHERE natural_key = %s", [row["natural_key"]]).fetchone()
    return done["receipt"] if done else ACTS[row["kind"]](c, row)


def seconds(retry_after):
    """What a header of that name asks for, as a number or as a date; None where it does not."""
    if retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() + 1 - time.time())  # dates have no fractions
    except ValueError:
        return None


@functools.cache
def partner():
    """A line for each call, so that none is used that the other side has left."""
    return httpx.Client(base_url=PARTNER, timeout=float(os.environ.get("PARTNER_TIMEOUT") or 5), trust_env=False,
                        limits=httpx.Limits(max_keepalive_connections=0))  # fmt: skip


def call(method, path, row, **more):
    headers = {"traceparent": row["traceparent"], "X-Worker": f"books:{os.getpid()}", **more.pop("headers", {})}
    got = partner().request(method, path, headers=headers, **more)
    if got.status_code >= 400:
        again = got.status_code >= 500 or got.status_code in (408, 425, 429)
        raise Failed(f"the partner answered {got.status_code}", not again, seconds(got.headers.get("Retry-After", "")))
    return got


def pay(c, row):
    what = c.execute("SELECT p.*, a.iban FROM payouts p JOIN payout_accounts a ON a.id = p.account_id WHERE p.id = %s",
                     [row["args"]["payout_id"]]).fetchone()  # fmt: skip
    body = {"reference": row["natural_key"], "account": what["iban"], "amount_cents": what["amount_cents"],
            "currency": what["currency"]}  # fmt: skip
    charge = call("POST", "/v1/charges", row, json=body, headers={"Idempotency-Key": row["natural_key"]}).json()
    c.execute("UPDATE payouts SET provider_id = %s WHERE id = %s", [charge["id"], what["id"]])
    return {"reference": charge["id"]}


def mail(c, row):
    sent = call("GET", "/v1/emails", row, params={"reference": row["natural_key"]}).json()["data"]
    if sent:
        return {"reference": sent[0]["id"]}
    to = c.execute("SELECT c.email, i.number FROM invoices i JOIN customers c ON c.id = i.customer_id WHERE i.id = %s",
                   [row["args"]["invoice_id"]]).fetchone()  # fmt: skip
    body = {"reference": row["natural_key"], "to": to["email"], "subject": f"Invoice {to['number']}", "body": "See it."}
    return {"reference": call("POST", "/v1/emails", row, json=body).json()["id"]}


def fan_out(c, row):
    args, tenant = row["args"], row["tenant_id"]
    with c.transaction():
        for each in c.execute("SELECT id FROM subscribers WHERE tenant_id = %s AND active", [tenant]).fetchall():
            key = f"{tenant}:webhook:{each['id']}:{args['invoice_id']}:{args['version']}:invoice.updated"
            child = {**args, "subscriber_id": each["id"]}
            accept(c, tenant, "webhook.deliver", key, child, key, row["trace_id"], row["id"])
    return {}


def deliver(c, row):
    who = c.execute("SELECT * FROM subscribers WHERE id = %s", [row["args"]["subscriber_id"]]).fetchone()
    raw, stamp = json.dumps({"type": "invoice.updated", "data": row["args"]}), str(int(time.time()))
    secret = base64.b64decode(who["secret"].removeprefix("whsec_"))
    digest = hmac.new(secret, f"{row['natural_key']}.{stamp}.{raw}".encode(), hashlib.sha256).digest()
    signed = {"webhook-id": row["natural_key"], "webhook-timestamp": stamp, "Content-Type": "application/json",
              "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}  # fmt: skip
    call("POST", f"/hooks/{who['id']}", row, content=raw, headers=signed)
    return {}


def report_on(c, row):
    raise Failed("this app makes no files", final=True)  # nobody is left to wait for one


ACTS = {"payout.send": pay, "email.send": mail, "webhook.fanout": fan_out, "webhook.deliver": deliver,
        "report.export": report_on}  # fmt: skip


# -- relay and scheduler


def relay(c):
    """Whether there was anything. A row is locked while its message goes out; if we die, it is the next one's."""
    with c.transaction():
        rows = c.execute("SELECT * FROM outbox WHERE published_at IS NULL AND coalesce(not_before, '-infinity') <="
                         " clock_timestamp() ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED").fetchall()  # fmt: skip
        for row in rows:
            if row["kind"] not in QUEUES:
                c.execute("UPDATE outbox SET attempts = attempts + 1, last_error = 'no queue for it', not_before ="
                          " clock_timestamp() + interval '1 min' WHERE id = %s", [row["id"]])  # fmt: skip
                continue
            name = f"{row['job_id']}-{row['id']}"
            Queue(QUEUES[row["kind"]], connection=broker()).enqueue("books.run", str(row["job_id"]), job_id=name)
            c.execute("UPDATE outbox SET published_at = clock_timestamp() WHERE id = %s", [row["id"]])
    return bool(rows)


def schedule(c):
    """Retries that are due; and jobs that nobody has: no message on the broker, and nobody with their lock."""
    with c.transaction():
        due = c.execute("SELECT id FROM jobs WHERE state = 'retrying' AND due_at <= clock_timestamp() FOR UPDATE")
        for row in due.fetchall():
            say(c, row["id"], "queued")
            publish(c, row["id"])
    waiting = {
        text.decode()[:36] for name in set(QUEUES.values()) for text in broker().lrange(f"rq:queue:{name}", 0, -1)
    }
    with c.transaction():
        lost = c.execute(
            "SELECT j.id, j.natural_key FROM jobs j WHERE state IN ('queued', 'running') AND kind = ANY(%s)"
            " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.job_id = j.id AND"
            " coalesce(published_at, 'infinity') > clock_timestamp() - %s * interval '1 s')"
            " AND NOT EXISTS (SELECT 1 FROM jobs b WHERE b.aggregate = j.aggregate AND b.seq < j.seq"
            " AND b.finished_at IS NULL) FOR UPDATE OF j SKIP LOCKED",
            [list(QUEUES), LOST],
        )
        for row in lost.fetchall():
            free = c.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS f", [row["natural_key"]])
            if str(row["id"]) not in waiting and free.fetchone()["f"]:
                publish(c, row["id"])
    return False


def loop(turn):
    while True:
        try:
            with db() as c:
                c.autocommit = True
                while True:
                    if not turn(c):
                        time.sleep(0.05)
        except Exception as error:  # the database or the broker is away
            print(f"{turn.__name__}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            time.sleep(0.3)


if __name__ == "__main__":
    loop({"relay": relay, "scheduler": schedule}[sys.argv[1]])
