"""What is promised of a message's way: in which queue it waits, how it is written, when it is acknowledged."""

from typing import Any

from . import topology


def configuration(broker_url: str) -> dict[str, Any]:
    """The part of Celery's settings that says so, each with its reason."""
    promised = {
        # Routing: a queue for each concern, named once, and none that a slip of the pen could make.
        "task_queues": topology.queues(broker_url),
        "task_routes": {kind: {"queue": queue} for kind, queue in topology.QUEUES.items()},
        "task_default_queue": topology.NAMES[-1],
        "task_create_missing_queues": False,
        # Safety: JSON in and out. A pickle is a program, and whoever can write to the broker would have it run.
        "accept_content": ["json"],
        "task_serializer": "json",
        "event_serializer": "json",
        # A message is acknowledged when its job has come to an end, and is back at once when its child was killed.
        # With one message for each child, a long job never keeps others waiting behind it in a worker's memory.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
    }
    if not topology.is_rabbitmq(broker_url):
        return promised
    # Quorum queues have no common prefetch for all consumers of a channel; Celery sees by itself that they are.
    return promised | {"worker_detect_quorum_queues": True, "broker_transport_options": {"confirm_publish": True}}
