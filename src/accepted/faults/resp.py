"""Redis' protocol (RESP 2 and 3): commands by name and key, a MULTI with its EXEC as one."""

import re

from accepted.faults.wire import Reader, Received, Sent

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{18,}|[0-9a-f]{24,}|\d{3,}|[\w.-]+@[\w.-]+", re.I)
_KEYLESS = {
    "AUTH", "HELLO", "PING", "SELECT", "EVAL", "EVALSHA", "TIME", "QUIT", "EXEC", "DISCARD", "SUBSCRIBE", "PSUBSCRIBE",
    "UNWATCH", "PUBLISH", "KEYS", "INFO", "BLPOP", "BRPOP",  # the last two: several keys, in any order
}  # fmt: skip
_TWO_WORDS = {"CLIENT", "CONFIG", "SCRIPT", "OBJECT", "XGROUP", "XINFO", "PUBSUB", "COMMAND", "FUNCTION"}
_PUSHED = {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"}


class Resp(Reader):
    """A unit is one command, or everything from MULTI to EXEC."""

    def __init__(self) -> None:
        self._out, self._in = bytearray(), bytearray()
        self._multi = bytearray()
        self._inside: list[str] = []  # names of the commands since MULTI
        self._owed: list[int] = []  # replies to come, for each unit
        self._pushing = False

    def sent(self, data: bytes) -> list[Sent]:
        if self._pushing and not self._out:
            return [Sent(data)]
        self._out += data
        found: list[Sent] = []
        while (command := self._command()) is not None:
            raw, words = command
            name = _name(words)
            if name == "MULTI" or self._inside:
                self._multi += raw
                self._inside.append(name)
                if name not in ("EXEC", "DISCARD"):
                    continue
                about = self._inside[1] if len(self._inside) > 2 else "nothing"
                self._owed.append(len(self._inside))
                found.append(Sent(bytes(self._multi), f"{name} ({about})"))
                self._multi, self._inside = bytearray(), []
            elif name.split(" ")[0] in _PUSHED:
                self._pushing = True
                found.append(Sent(raw, name, answered=False))
            else:
                self._owed.append(1)
                found.append(Sent(raw, name))
        return found

    def received(self, data: bytes) -> list[Received]:
        if self._pushing and not self._owed:
            data, self._in = bytes(self._in) + data, bytearray()
            return [Received(data)]
        self._in += data
        found: list[Received] = []
        begin = at = 0
        while (end := _end(self._in, at)) is not None:
            pushed, at = self._in[at : at + 1] == b">", end
            if pushed or not self._owed:
                continue
            self._owed[0] -= 1
            if self._owed[0] == 0:
                self._owed.pop(0)
                found.append(Received(bytes(self._in[begin:at]), ends=1))
                begin = at
        if at > begin:
            found.append(Received(bytes(self._in[begin:at])))
        del self._in[:at]
        return found

    def _command(self) -> tuple[bytes, list[str]] | None:
        end = _end(self._out, 0)
        if end is None:
            return None
        raw = bytes(self._out[:end])
        del self._out[:end]
        return raw, _words(raw)


def _words(raw: bytes) -> list[str]:
    """The first words of an array of bulk strings."""
    if raw[:1] != b"*":
        return raw.decode(errors="replace").split()
    words: list[str] = []
    at = raw.index(b"\r\n") + 2
    while at < len(raw) and len(words) < 3:
        line = raw.index(b"\r\n", at)
        length = int(raw[at + 1 : line])
        words.append(raw[line + 2 : line + 2 + length].decode(errors="replace"))
        at = line + 4 + length
    return words


def _name(words: list[str]) -> str:
    """`HSET rq:job:*`: command and the shape of its key. Never a value, which may be a secret."""
    command = words[0].upper()
    if command in _TWO_WORDS and len(words) > 1:
        return f"{command} {words[1].upper()}"
    if command in _KEYLESS or command == "MULTI" or len(words) < 2:
        return command
    key = _ID.sub("*", words[1])
    return f"{command} {key}" if len(key) <= 60 and key.isprintable() else command


def _end(raw: bytearray, at: int) -> int | None:
    """Where the value that begins at `at` ends; None where it is not whole yet."""
    todo = 1
    while todo:
        line = raw.find(b"\r\n", at)
        if line < 0:
            return None
        kind, size = bytes(raw[at : at + 1]), raw[at + 1 : line]
        at, todo = line + 2, todo - 1
        if kind in (b"$", b"!", b"="):
            if int(size) >= 0:
                at += int(size) + 2
                if at > len(raw):
                    return None
        elif kind in (b"*", b"~", b">"):
            todo += max(0, int(size))
        elif kind in (b"%", b"|"):
            todo += 2 * int(size) + (kind == b"|")
    return at
