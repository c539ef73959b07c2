"""When a process counts as up."""

import http.client
from dataclasses import dataclass

from accepted.stack import ports

PATIENCE = 2.0  # seconds for one answer


@dataclass(frozen=True)
class Http:
    """Up when GET /healthz on 127.0.0.1:port answers 200."""

    port: int
    path: str = "/healthz"

    def met(self, alive_for: float) -> bool:
        """Asks now. `alive_for`: seconds since the process started."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

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
