"""What became of each scene of exercise 7, as it is played."""

from dataclasses import dataclass, field

from asking import Asked, Scene

from accepted.faults.crossings import Crossing, Target


@dataclass
class Works(Scene):
    """A sunny day."""

    idle: list[Crossing] = field(default_factory=list)


@dataclass
class Waiting(Scene):
    """Messages on the broker, and no worker. `beside`: those whose messages were counted."""

    ghost: Asked | None = None
    beside: list[Asked] = field(default_factory=list)
    lost: Asked | None = None
    lost_of: str = ""  # the queue from which its message was taken
    found_again: bool = False  # whether it was there again, with no worker running
    messages: list[set[str]] = field(default_factory=list)  # the ids that each of them names


@dataclass
class Kills(Scene):
    """Relays killed. `at`: the crossings that they were killed at; `missed`: those that none came to any more; `own`:
    whether one of them was the message's own, where a relay has such."""

    killed: int = 0
    at: dict[str, int] = field(default_factory=dict)
    missed: list[Target] = field(default_factory=list)
    own: bool = True


@dataclass
class Outage(Scene):
    """The broker away. `caught`: the request whose web process was killed; `asked`: those that met a dead broker."""

    caught: Asked | None = None
    hung: bool = False  # whether that request was still waiting for its answer
