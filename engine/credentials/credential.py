"""What is resolved for one request: opened, never printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.core.message import Answer

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A profile's secret values by field, of ``version``. ``previous``, while the overlap of a
    rotation lasts: the same with the values before it, of ``previous_version``. Secret.
    """

    current: Mapping[str, str]
    previous: Mapping[str, str] | None = None
    version: int = 0
    previous_version: int = 0

    def __repr__(self) -> str:
        return "Opened(***)"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token of one profile version, got with the secret of ``secret_version``. Secret; the
    fingerprint is keyed.
    """

    value: str = field(repr=False)
    fingerprint: str
    version: int
    secret_version: int


@dataclass(frozen=True, slots=True)
class Placement:
    """What a credential puts into a request: (name, value) pairs by place. Secret."""

    headers: Pairs = ()
    query: Pairs = ()
    body: Pairs = ()

    def __repr__(self) -> str:
        return "Placement(***)"


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential of one profile as it stands now.

    ``version`` is the profile's, the one an execution records. ``origins`` are where it may be sent
    (``https://host:port``, lower-case, the port always there). ``fingerprint`` is keyed and differs
    whenever anything of what is sent differs. ``secrets`` are the opened values in the placement,
    as they were before anything was put around them. ``expired_when`` is how an API says that it is
    over, besides what its kind knows. ``client_certificate`` (PEM, with its private key) is what is
    shown in the TLS handshake. It shows nothing secret in any form of printing.
    """

    profile_id: int
    profile: str
    kind: str
    version: int
    origins: frozenset[str]
    placement: Placement
    fingerprint: str
    secrets: tuple[str, ...] = ()
    expired_when: Callable[[Answer], bool] | None = None
    client_certificate: str | None = None

    def __repr__(self) -> str:
        return f"Credential({self.profile!r}, {self.kind!r}, version={self.version})"
