"""A request as pages see it, and what they answer: a page is a plain function between the two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from engine.access.roles import Permission, allows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.access.sessions import Session
    from engine.console.means import Means


_DIGITS = 18
"""Whole numbers of more have no place in a database."""


class Fields:
    """What a form or a query says: name → texts, in the order given."""

    def __init__(self, pairs: Sequence[tuple[str, str]] = ()) -> None:
        self._pairs = tuple(pairs)

    def __getitem__(self, name: str) -> str:
        """The first text of this name, without outer spaces; '' for none."""
        return self.exact(name).strip()

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._pairs)

    def exact(self, name: str) -> str:
        """The first text of this name as it was typed: secrets may begin with a space."""
        return next((text for key, text in self._pairs if key == name), "")

    def whole(self, name: str) -> int | None:
        """The whole number of this name, of at most 18 digits; None for none."""
        text = self[name]
        fine = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
        return int(text) if fine else None

    def every(self, name: str) -> tuple[str, ...]:
        """All texts of this name."""
        return tuple(text for key, text in self._pairs if key == name)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All of it."""
        return self._pairs


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. ``place`` are the parts of its path that vary; ``session`` is who asks (None:
    nobody, on the few pages that are open), ``session_id`` the cookie's value as it came; ``now``
    is wall time.
    """

    means: Means
    now: int
    address: str
    place: Mapping[str, str]
    query: Fields
    form: Fields
    session: Session | None
    session_id: str = field(default="", repr=False)

    @property
    def actor(self) -> str:
        """Whose name stands in the audit log."""
        return self.session.name if self.session is not None else ""

    def may(self, permission: Permission | str) -> bool:
        """Whether the operator has a permission."""
        return self.session is not None and allows(self.session.role, Permission(permission))


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: a template and its values."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Redirected:
    """Go on at ``to``, where ``said`` stands above the page once. ``session`` is a new session's id
    for the cookie, '' takes the cookie away, None leaves it.
    """

    to: str
    said: str = ""
    bad: bool = False
    session: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """A file to be kept: ``name`` is what it is called."""

    body: bytes
    content_type: str
    name: str


Reply = Shown | Redirected | Sent


@dataclass(frozen=True, slots=True)
class Page:
    """A route. ``path`` has ``{names}`` for the parts that vary. Whoever asks needs ``permission``;
    None: it is enough to be logged in. An ``open`` page is everybody's.
    """

    method: Literal["GET", "POST"]
    path: str
    permission: Permission | None
    show: Callable[[Visit], Reply]
    open: bool = False
