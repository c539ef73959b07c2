"""AMQP 0-9-1: methods by class and name, messages with their content, confirms by their delivery tag."""

import struct
from collections import Counter

from accepted.faults.wire import Reader, Received, Sent

_NAMES = {
    (10, 10): "connection.start", (10, 11): "connection.start-ok", (10, 30): "connection.tune",
    (10, 31): "connection.tune-ok", (10, 40): "connection.open", (10, 41): "connection.open-ok",
    (10, 50): "connection.close", (10, 51): "connection.close-ok", (10, 60): "connection.blocked",
    (10, 61): "connection.unblocked", (20, 10): "channel.open", (20, 11): "channel.open-ok", (20, 20): "channel.flow",
    (20, 21): "channel.flow-ok", (20, 40): "channel.close", (20, 41): "channel.close-ok",
    (40, 10): "exchange.declare", (40, 11): "exchange.declare-ok", (40, 20): "exchange.delete",
    (40, 21): "exchange.delete-ok", (40, 30): "exchange.bind", (40, 31): "exchange.bind-ok",
    (50, 10): "queue.declare", (50, 11): "queue.declare-ok", (50, 20): "queue.bind", (50, 21): "queue.bind-ok",
    (50, 30): "queue.purge", (50, 31): "queue.purge-ok", (50, 40): "queue.delete", (50, 41): "queue.delete-ok",
    (60, 10): "basic.qos", (60, 11): "basic.qos-ok", (60, 20): "basic.consume", (60, 21): "basic.consume-ok",
    (60, 30): "basic.cancel", (60, 31): "basic.cancel-ok", (60, 40): "basic.publish", (60, 50): "basic.return",
    (60, 60): "basic.deliver", (60, 70): "basic.get", (60, 71): "basic.get-ok", (60, 72): "basic.get-empty",
    (60, 80): "basic.ack", (60, 90): "basic.reject", (60, 100): "basic.recover-async", (60, 110): "basic.recover",
    (60, 111): "basic.recover-ok", (60, 120): "basic.nack", (85, 10): "confirm.select", (85, 11): "confirm.select-ok",
}  # fmt: skip
_CONTENT = {"basic.publish", "basic.return", "basic.deliver", "basic.get-ok"}
_SILENT = {
    "connection.start-ok", "connection.tune-ok", "connection.close-ok", "channel.close-ok", "channel.flow-ok",
    "basic.ack", "basic.nack", "basic.reject", "basic.recover-async",
}  # fmt: skip
# Whoever sets this bit gets no answer: strings before it, and the bit.
_NO_WAIT = {
    "exchange.declare": (2, 16), "exchange.delete": (1, 2), "queue.declare": (1, 16), "queue.bind": (3, 1),
    "queue.purge": (1, 1), "queue.delete": (1, 4), "basic.consume": (2, 8), "basic.cancel": (1, 1),
}  # fmt: skip
METHOD, HEADER, BODY = 1, 2, 3


class Frames:
    """Cuts one direction into methods with their content: (name, channel, arguments, bytes)."""

    def __init__(self) -> None:
        self._data, self._unit = bytearray(), bytearray()
        self._open: tuple[str, int, bytes] | None = None
        self._left: int | None = None  # bytes of content to come; None: the header is to come

    def feed(self, data: bytes) -> list[tuple[str, int, bytes, bytes]]:
        self._data += data
        found = []
        if self._data[:4] == b"AMQP" and len(self._data) >= 8:
            found.append(("connect", 0, b"", self._cut(8)))
        while len(self._data) >= 7 and self._data[:4] != b"AMQP":
            kind, channel, size = struct.unpack("!BHI", self._data[:7])
            if len(self._data) < size + 8:
                break
            frame = self._cut(size + 8)
            if (whole := self._frame(kind, channel, frame[7:-1], frame)) is not None:
                found.append(whole)
        return found

    def _frame(self, kind: int, channel: int, payload: bytes, frame: bytes) -> tuple[str, int, bytes, bytes] | None:
        if kind == METHOD:
            name = _NAMES.get(struct.unpack("!HH", payload[:4]), "method")
            if name not in _CONTENT:
                return name, channel, payload[4:], frame
            self._open, self._unit, self._left = (name, channel, payload[4:]), bytearray(frame), None
            return None
        if self._open is None:
            return "heartbeat", channel, b"", frame
        self._unit += frame
        if kind == HEADER:
            self._left = int(struct.unpack("!Q", payload[4:12])[0])
        elif kind == BODY and self._left is not None:
            self._left -= len(payload)
        if self._left != 0:
            return None
        name, channel, arguments = self._open
        self._open = None
        return name, channel, arguments, bytes(self._unit)

    def _cut(self, size: int) -> bytes:
        whole = bytes(self._data[:size])
        del self._data[:size]
        return whole


class Amqp(Reader):
    """A unit is a method with its content. What the server pushes (basic.deliver) is a crossing of its own."""

    def __init__(self) -> None:
        self._sent, self._received = Frames(), Frames()
        self._confirming: dict[int, int] = {}  # channel: last delivery tag published
        self._owed: list[tuple[str, int, int]] = []  # what is under way: name, channel, tag
        self._consumers: Counter[int] = Counter()  # channel: how many queues it is told of

    def sent(self, data: bytes) -> list[Sent]:
        found = []
        for name, channel, arguments, raw in self._sent.feed(data):
            if name == "heartbeat" or (name.startswith("connection.") and name != "connection.close"):
                found.append(Sent(raw))
                continue
            answered, tag = name not in _SILENT and not _no_wait(name, arguments), 0
            if name == "confirm.select":
                self._confirming[channel] = 0
            if name == "basic.publish":
                answered = channel in self._confirming
                if answered:
                    tag = self._confirming[channel] = self._confirming[channel] + 1
            if answered:
                self._owed.append((name, channel, tag))
            found.append(Sent(raw, name + _about(name, arguments), answered))
        return found

    def received(self, data: bytes) -> list[Received]:
        found = []
        for name, channel, arguments, raw in self._received.feed(data):
            if name == "basic.deliver":
                found.append(Received(raw, begins=name))
                continue
            self._consumers[channel] += {"basic.consume-ok": 1, "basic.cancel-ok": -1}.get(name, 0)
            if name.startswith("channel.close"):
                del self._consumers[channel]
            ends = self._ends(name, channel, arguments)
            found.append(Received(raw, ends))
        return found

    def awaits(self) -> list[str]:
        return ["basic.deliver"] * self._consumers.total()

    def _ends(self, name: str, channel: int, arguments: bytes) -> int:
        if name in ("basic.ack", "basic.nack"):
            tag, flags = struct.unpack("!QB", arguments[:9])
            mine = [one for one in self._owed if one[0] == "basic.publish" and one[1] == channel]
            over = [one for one in mine if one[2] == tag or (flags & 1 and one[2] <= tag)]
        elif name in ("channel.close", "connection.close"):  # a refusal answers whatever was asked there
            over = [one for one in self._owed if name == "connection.close" or one[1] == channel]
        elif name == "connection.open-ok":
            over = [one for one in self._owed if one[0] == "connect"]
        else:
            asked = name.rsplit("-", 1)[0]
            over = [one for one in self._owed if one[0] == asked and one[1] == channel][:1]
        for one in over:
            self._owed.remove(one)
        return len(over)


def _strings(arguments: bytes, at: int, count: int) -> tuple[list[str], int]:
    """So many short strings, and where they end."""
    words = []
    for _ in range(count):
        size = arguments[at]
        words.append(arguments[at + 1 : at + 1 + size].decode(errors="replace"))
        at += 1 + size
    return words, at


def _no_wait(name: str, arguments: bytes) -> bool:
    if name == "confirm.select":
        return bool(arguments[:1] and arguments[0] & 1)
    if name not in _NO_WAIT:
        return False
    strings, bit = _NO_WAIT[name]
    _, at = _strings(arguments, 0 if name == "basic.cancel" else 2, strings)
    return at < len(arguments) and bool(arguments[at] & bit)


def _about(name: str, arguments: bytes) -> str:
    """The routing key of what is published: our queues are named after concerns."""
    if name != "basic.publish":
        return ""
    (_, key), _ = _strings(arguments, 2, 2)
    return f" {key}" if key.replace("-", "").replace("_", "").isalpha() else ""
