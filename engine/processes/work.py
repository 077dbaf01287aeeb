"""What a worker process works with, and what it asks of a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from engine.clock import Clock
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.operations.store import Finding
    from engine.processes.duties import Post
    from engine.processes.health import Loop
    from engine.settings import Settings


class Work(Protocol):
    """What a worker does: everything that is due, for whoever it owns, until it is stopped."""

    async def work(self) -> object:
        """Work until stopped, and until the calls on the wire are answered.

        Raises DatabaseUnavailable where the database stays unusable: then it is opened anew.
        """
        ...

    def stop(self) -> None:
        """Begin nothing new. For the event loop's thread."""
        ...

    @property
    def loop(self) -> Loop:
        """The thread that decides, for health."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """What a worker works with; ``say`` takes a line for people."""

    database: Database
    vault: Vault
    settings: Settings
    clock: Clock
    say: Callable[[str], None]


class Doors(Protocol):
    """What lets others reach this process while it runs, as an HTTP server."""

    def findings(self) -> list[Finding]:
        """How it is; for another thread."""
        ...


class OpenDoors(Protocol):
    """Opens the doors of a process on its event loop, and at the end closes them: who is inside is
    served before. Raises OperatorError where they can't be opened.
    """

    def __call__(
        self, post: Post, health: Callable[[], Sequence[Finding]]
    ) -> AbstractAsyncContextManager[Doors]:
        """``health`` tells what the process found when it looked at itself last."""
        ...
