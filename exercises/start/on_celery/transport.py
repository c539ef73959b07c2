"""kombu's Redis transport, one that lives through whatever lies in its lists.

kombu pops an item and then reads it: bytes that are no message of its own would end the worker, and be lost with it.
Here such bytes are wrapped into a message as they are, and go the way of everything that can't be decoded.
"""

import json
from base64 import b64encode
from typing import Any
from uuid import uuid4

import redis as client
from kombu.transport import redis

_POPS = frozenset({"BRPOP", "RPOP"})
FOREIGN = "application/octet-stream"


class Channel(redis.Channel):  # type: ignore[misc]
    """A channel whose client wraps what it pops where it has to."""

    def _get_client(self) -> type[client.Redis]:
        channel = self

        class Client(super()._get_client()):  # type: ignore[misc]
            def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
                answer = super().parse_response(connection, command_name, **options)
                if command_name not in _POPS or not answer:
                    return answer
                if command_name == "RPOP":  # `basic_get`, which knows the queue it asked for
                    return answer if channel.reads(answer) else wrapped(answer, "")
                queue, item = answer
                return answer if channel.reads(item) else [queue, wrapped(item, queue.decode())]

        return Client

    def reads(self, item: bytes) -> bool:
        """Whether kombu can make a message of it, with all that it looks at before our consumer does."""
        try:
            message = self.Message(redis.loads(item.decode()), channel=self)
            where = message.delivery_info
            known = isinstance(message.delivery_tag, str) and isinstance(message.headers, dict)
            return known and not message.errors and all(isinstance(where[k], str) for k in ("exchange", "routing_key"))
        except Exception:  # whatever it is, the next one to fall over it would be the worker
            return False


def wrapped(item: bytes, queue: str) -> bytes:
    """A message of kombu's, of foreign content: these very bytes."""
    properties = {
        "delivery_tag": str(uuid4()),
        "body_encoding": "base64",
        "delivery_info": {"exchange": "", "routing_key": queue},
    }
    message = {"body": b64encode(item).decode(), "content-type": FOREIGN, "content-encoding": "binary"}
    return json.dumps({**message, "headers": {}, "properties": properties}).encode()


class Transport(redis.Transport):  # type: ignore[misc]
    """`broker_transport` of our workers."""

    Channel = Channel
