"""What goes out and what comes back, as plain data that nobody changes. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Request:
    """One HTTP request, complete: what is on the wire is exactly this.

    ``url`` is absolute; ``headers`` are (name, value) pairs in order, lower-case names, printable
    ASCII values; ``body`` is the bytes to send, ``b""`` for none.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(slots=True)
class Answer:
    """What became of one request.

    Either an HTTP answer (``status`` > 0, ``failure`` None) or a failure (``status`` 0 and one of
    the ``call.*`` codes in ``failure``; ``text`` then says what happened, without URL or secret).
    ``may_have_been_sent`` is False only where it is certain that the server never saw the request.
    ``stale_connection`` marks the keep-alive race: a reused connection ended before the request
    was taken, so sending it again at once is right wherever a repeat is allowed.
    ``elapsed_us`` is the stopwatch time of the whole attempt. Header names are lower-case; the
    first value of a repeated header stands.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    failure: str | None = None
    text: str = ""
    may_have_been_sent: bool = True
    elapsed_us: int = 0
    stale_connection: bool = False
