"""HTTP/1.1, to partners and the object store: method and the shape of the path."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from accepted.faults.wire import Reader, Received, Sent

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[0-9a-f]{16,}", re.I)
_NUMBER = re.compile(r"\d+")
_UNNAMED = {"expires", "signature", "secret", "filename", "page", "cursor", "limit"}


class Body:
    """How far a message's body has come."""

    def __init__(self, head: bytes, *, bodiless: bool, request: bool) -> None:
        fields = dict(_fields(head))
        self.left: int | None = 0  # None: until the connection ends
        self.chunked = False
        if bodiless:
            return
        if "chunked" in fields.get("transfer-encoding", "").lower():
            self.chunked = True
        elif "content-length" in fields:
            self.left = int(fields["content-length"])
        else:
            self.left = 0 if request else None

    def take(self, data: bytearray) -> tuple[bytes, bool]:
        """What of `data` belongs to this body (removed from it), and whether the body is whole with that."""
        if self.chunked:
            end = _chunks_end(data)
            taken = bytes(data) if end is None else bytes(data[:end])
            if end is None:  # keep what may be cut in the middle of a size line: simply wait for all of it
                return b"", False
            del data[:end]
            return taken, True
        if self.left is None:
            taken = bytes(data)
            data.clear()
            return taken, False
        taken = bytes(data[: self.left])
        del data[: len(taken)]
        self.left -= len(taken)
        return taken, self.left == 0


class Http(Reader):
    """A unit is one request; its body may follow in pieces."""

    def __init__(self) -> None:
        self._out, self._in = bytearray(), bytearray()
        self._asking: Body | None = None
        self._answering: Body | None = None
        self._methods: list[str] = []

    def sent(self, data: bytes) -> list[Sent]:
        self._out += data
        found: list[Sent] = []
        while self._out:
            if self._asking is None:
                head = _head(self._out)
                if head is None:
                    break
                method, target = head.split(b"\r\n", 1)[0].decode(errors="replace").split(" ")[:2]
                self._methods.append(method)
                self._asking = Body(head, bodiless=False, request=True)
                body, whole = self._asking.take(self._out)
                found.append(Sent(head + body, f"{method} {shape(target)}"))
            else:
                body, whole = self._asking.take(self._out)
                if body:
                    found.append(Sent(body))
            if whole:
                self._asking = None
            elif not body:
                break
        return found

    def received(self, data: bytes) -> list[Received]:
        self._in += data
        found: list[Received] = []
        while self._in:
            head = b""
            if self._answering is None:
                got = _head(self._in)
                if got is None:
                    break
                head, status = got, int(got.split(b" ", 2)[1][:3])
                if 100 <= status < 200:
                    found.append(Received(head))
                    continue
                method = self._methods.pop(0) if self._methods else "GET"
                self._answering = Body(head, bodiless=method == "HEAD" or status in (204, 304), request=False)
            body, whole = self._answering.take(self._in)
            if whole:
                self._answering = None
            if head or body:
                found.append(Received(head + body, ends=int(whole)))
            if not whole and not body:
                break
        return found


def shape(target: str) -> str:
    """The path with `:id` for ids and `:n` for numbers, and the names in its query that tell requests apart."""
    parts = urlsplit(target)
    path = _NUMBER.sub(":n", _ID.sub(":id", unquote(parts.path)))
    names = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} - _UNNAMED)
    return path + (f"?{'&'.join(names)}" if names else "")


def _head(data: bytearray) -> bytes | None:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(data[: end + 4])
    del data[: end + 4]
    return head


def _fields(head: bytes) -> list[tuple[str, str]]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines) if name]


def _chunks_end(data: bytearray) -> int | None:
    at = 0
    while True:
        line = data.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(bytes(data[at:line]).split(b";")[0] or b"0", 16)
        at = line + 2 + size + 2
        if size == 0:
            end = data.find(b"\r\n", line + 2)
            while end > line + 2:  # trailers
                line, end = end, data.find(b"\r\n", end + 2)
            return None if end < 0 else end + 2
        if at > len(data):
            return None
