"""The baseline of `accept`: a bare Flask route that makes two INSERTs in one transaction, and answers 202.

No tenant, no validation, no log, no trace, no events: a job and its outbox row, and nothing else. A connection is kept
by each thread, which is a little cheaper than a pool. The answer is as long as the system's.
"""

import os
import threading
from uuid import uuid4

import psycopg
from flask import Flask, Response, jsonify, request
from psycopg.types.json import Jsonb

TABLES = """
CREATE TABLE IF NOT EXISTS bare_jobs (
    id uuid PRIMARY KEY, kind text NOT NULL, args jsonb NOT NULL, state text NOT NULL DEFAULT 'queued',
    accepted_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS bare_outbox (
    id bigserial PRIMARY KEY, job_id uuid NOT NULL, kind text NOT NULL, published_at timestamptz
);
CREATE INDEX IF NOT EXISTS bare_outbox_unpublished ON bare_outbox (id) WHERE published_at IS NULL;
"""
app = Flask(__name__)
_threads = threading.local()
with app.app_context():
    _EMPTY = int(jsonify(job={"id": uuid4(), "state": "queued"}, padding="").content_length or 0)
_padding = "x" * (int(os.environ.get("BARE_BYTES", "0")) - _EMPTY)


def connection() -> psycopg.Connection:
    """This thread's own."""
    if not hasattr(_threads, "connection"):
        _threads.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    found: psycopg.Connection = _threads.connection
    return found


@app.post("/reports")
def accept() -> tuple[Response, int, dict[str, str]]:
    job_id = uuid4()
    body = request.get_json()
    with connection().transaction():
        connection().execute(
            "INSERT INTO bare_jobs (id, kind, args) VALUES (%s, %s, %s)", (job_id, "report.export", Jsonb(body))
        )
        connection().execute("INSERT INTO bare_outbox (job_id, kind) VALUES (%s, %s)", (job_id, "report.export"))
    return jsonify(job={"id": job_id, "state": "queued"}, padding=_padding), 202, {"Location": f"/jobs/{job_id}"}


@app.get("/healthz")
def healthz() -> str:
    return "ok"
