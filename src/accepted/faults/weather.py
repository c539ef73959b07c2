"""The state of the lines: cut, silent (a blackhole: nothing arrives, nobody is told) or slow."""

import asyncio
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """Which lines a fault is about; None stands for any."""

    process: str | None = None
    service: str | None = None

    def covers(self, process: str, service: str) -> bool:
        return self.process in (None, process) and self.service in (None, service)


@dataclass(slots=True)
class Weather:
    """Lives in the proxies' loop; nothing here is thread-safe."""

    silent: set[Line] = field(default_factory=set)
    slow: dict[Line, float] = field(default_factory=dict)
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        """To be called after `silent` was changed."""
        self._change.set()
        self._change = asyncio.Event()

    async def pass_through(self, process: str, service: str) -> None:
        """Returns when bytes may go on."""
        if not self.silent and not self.slow:
            return
        while any(line.covers(process, service) for line in self.silent):
            await self._change.wait()
        delay = max((seconds for line, seconds in self.slow.items() if line.covers(process, service)), default=0.0)
        if delay:
            await asyncio.sleep(delay)
