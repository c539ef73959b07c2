"""How messages are written, as Celery's settings; all else is as Celery has it."""

import os
from typing import Any

# With pickles, Celery refuses to run as root, which is who runs in a container.
os.environ.setdefault("C_FORCE_ROOT", "1")


def configuration(broker_url: str) -> dict[str, Any]:
    """Pickles, because JSON knows no ids and dates."""
    return {"task_serializer": "pickle", "accept_content": ["pickle", "json"]}
