"""PostgreSQL's protocol (version 3), read just far enough to know which statement is under way and when it is done."""

import struct
from collections import deque

from accepted.faults.sqlnames import Transactions
from accepted.faults.wire import Reader, Received, Sent

_ASIDE = {80877102, 80877103, 80877104}  # cancel, TLS?, GSS?: no session yet


class Postgres(Reader):
    """A unit is what ends in ReadyForQuery: a simple Query, or everything up to a Sync; the last statement of several
    names it, which in a pipeline that ends in a commit says what that makes true.

    A driver's own preparing of a statement has no name: whether it happens hangs on how often the connection ran
    that statement before, and the crossings of a job must not.
    """

    def __init__(self) -> None:
        self._out, self._in = bytearray(), bytearray()
        self._unit = bytearray()
        self._started = False
        self._asked_aside = 0  # one byte is the answer
        self._prepared: dict[bytes, str] = {}
        self._sql = ""
        self._executed: list[str] = []
        self._named: deque[bool] = deque()  # units under way
        self._transactions = Transactions()

    def sent(self, data: bytes) -> list[Sent]:
        self._out += data
        found: list[Sent] = []
        while not self._started:
            if len(self._out) < 8:
                return found
            length, code = struct.unpack("!ii", self._out[:8])
            if len(self._out) < length:
                return found
            whole = self._take(length)
            if code in _ASIDE:
                self._asked_aside += code != 80877102
                found.append(Sent(whole))
            else:
                self._started = True
                self._named.append(True)
                found.append(Sent(whole, "connect"))
        while len(self._out) >= 5:
            length = 1 + int(struct.unpack("!i", self._out[1:5])[0])
            if len(self._out) < length:
                break
            whole = self._take(length)
            kind = whole[:1]
            if kind in b"pXdcf":  # the greeting's answers, farewell, copied rows
                found.append(Sent(whole))
                continue
            self._unit += whole
            self._look(kind, whole[5:])
            if kind in b"QSF":
                names = [self._transactions.name(sql) for sql in self._executed]
                self._named.append(bool(names))
                found.append(Sent(bytes(self._unit), names[-1] if names else None))
                self._unit, self._sql, self._executed = bytearray(), "", []
        return found

    def received(self, data: bytes) -> list[Received]:
        self._in += data
        found: list[Received] = []
        if self._asked_aside and self._in:
            self._asked_aside -= 1
            found.append(Received(bytes(self._in[:1])))
            del self._in[:1]
        begin = at = 0
        while len(self._in) - at >= 5:
            end = at + 1 + int(struct.unpack("!i", self._in[at + 1 : at + 5])[0])
            if end > len(self._in):
                break
            ready, at = self._in[at : at + 1] == b"Z", end
            if ready:
                ends = int(self._named.popleft()) if self._named else 0
                found.append(Received(bytes(self._in[begin:at]), ends))
                begin = at
        if at > begin:
            found.append(Received(bytes(self._in[begin:at])))
        del self._in[:at]
        return found

    def _take(self, length: int) -> bytes:
        whole = bytes(self._out[:length])
        del self._out[:length]
        return whole

    def _look(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":
            self._sql = body.rstrip(b"\0").decode(errors="replace")
        elif kind == b"P":
            name, sql = body.split(b"\0", 2)[:2]
            self._prepared[name] = self._sql = sql.decode(errors="replace")
        elif kind == b"B":
            _, name = body.split(b"\0", 2)[:2]
            self._sql = self._prepared.get(name, self._sql)
        if kind in b"QE":
            self._executed.append(self._sql)
