"""The shortest message that a stock Celery worker accepts; on both brokers the same."""

import json
from typing import Any

TYPE, ENCODING = "application/json", "utf-8"
TASK = "noop"


def headers(job_id: str) -> dict[str, Any]:
    return {"lang": "py", "task": TASK, "id": job_id, "root_id": job_id, "parent_id": None, "group": None}


def body(job_id: str) -> bytes:
    """[arguments, keyword arguments, what comes after]"""
    return json.dumps([[job_id], {}, {}]).encode()
