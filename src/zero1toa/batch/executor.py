"""Who works: the protocol of an executor, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .options import Job
from .work import Row


@dataclass(frozen=True)
class Started:
    """A worker has taken up a portrait."""

    name: str
    worker: str


@dataclass(frozen=True)
class Advanced:
    """How far a portrait is."""

    name: str
    stage: str
    share: float  # of all its work, [0, 1]


@dataclass(frozen=True)
class Finished:
    """A portrait's work ended, well or not: the row says."""

    name: str
    row: Row


@dataclass(frozen=True)
class Lost:
    """The worker died with the portrait in its hands."""

    name: str
    reason: str  # a sentence


Event = Started | Advanced | Finished | Lost


class Executor(Protocol):
    """Runs `work.work_on` for portraits somewhere else, `slots` at a time."""

    @property
    def slots(self) -> int:
        """How many portraits it works on at once. May change, for example as a cluster grows."""

    def submit(self, job: Job) -> None:
        """Hands a portrait over. Ends, in `events`, with exactly one `Finished` or `Lost`."""

    def events(self, timeout: float) -> list[Event]:
        """What has happened since the last call; waits for it for at most `timeout` seconds."""

    def cancel(self, name: str, reason: str) -> None:
        """Gives up a portrait, by force if need be: it ends with `Lost`."""

    def close(self, now: bool = False) -> None:
        """Ends all workers. Those at work keep their state for a later run; `now` does not wait for that."""
