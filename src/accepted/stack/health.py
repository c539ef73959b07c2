"""When a process counts as up."""

import contextlib
import http.client
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from accepted.stack import ports

PATIENCE = 2.0  # seconds for one answer


@dataclass(frozen=True)
class Http:
    """Up when GET /healthz on 127.0.0.1:port answers 200."""

    port: int
    path: str = "/healthz"

    def met(self, alive_for: float) -> bool:
        """Asks now. `alive_for`: seconds since the process started."""
        return self._status() == 200

    def _status(self) -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def instead(self, processes: Iterable[psutil.Process]) -> str:
        """What is to be seen there where it is not met: another answer, another port, or nothing."""
        if (status := self._status()) is not None:
            return f"it answers {status}"
        found = set()
        for process in processes:
            with contextlib.suppress(psutil.Error):
                found |= {c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        ports = ", ".join(map(str, sorted(found)))
        if self.port in found:
            return f"it takes connections there, and answers nothing within {PATIENCE:g} s"
        return f"it listens on {ports}, not on {self.port}" if found else "it listens nowhere"

    def __str__(self) -> str:
        return f"GET http://127.0.0.1:{self.port}{self.path}"


@dataclass(frozen=True)
class Port:
    """Up when 127.0.0.1:port accepts connections."""

    port: int

    def met(self, alive_for: float) -> bool:
        """Asks now."""
        return ports.answers(self.port, PATIENCE)

    def __str__(self) -> str:
        return f"a connection to 127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Alive:
    """Up when it has not ended for so many seconds."""

    seconds: float = 0.5

    def met(self, alive_for: float) -> bool:
        """Whether it has lived long enough."""
        return alive_for >= self.seconds

    def __str__(self) -> str:
        return f"being alive for {self.seconds:g} s"


Health = Http | Port | Alive
