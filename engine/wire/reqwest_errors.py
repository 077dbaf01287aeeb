"""What pyreqwest's errors really mean.

Its exception classes can't be trusted with 'was it sent?' (a connection closed after the request
was read is a ``ConnectError``), so the chain of causes is read instead; the contract suite pins
these strings to the locked version. Only what stands in this file's own words goes on: the
originals hold the whole URL, and with it keys from the query.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyreqwest.exceptions import BuilderError, PoolTimeoutError, PyreqwestError, RequestTimeoutError

CONNECT = "client error (Connect)"
BODY = "error reading a body from connection"

_CONNECTING = (
    ("Connection refused", "connection refused"),
    ("Network is unreachable", "no route to the address"),
    ("No route to host", "no route to the address"),
    ("dns error", "name not found"),
    ("invalid peer certificate: certificate expired", "certificate expired"),
    ("invalid peer certificate: certificate not valid yet", "certificate not valid yet"),
    ("invalid peer certificate: certificate not valid for name", "certificate of another name"),
    ("invalid peer certificate: UnknownIssuer", "certificate from an unknown issuer"),
    ("invalid peer certificate", "certificate not acceptable"),
    ("received fatal alert", "TLS refused by the server"),
    ("received corrupt message", "the port doesn't speak TLS"),
    ("Connection reset", "closed while connecting"),
    ("tls handshake eof", "closed while connecting"),
)
"""How a cause begins → what we say, for a request that was never sent."""

_CUT = (
    "connection closed before message completed",
    "connection error",
    "error writing a body to connection",
    "end of file before message length reached",
    "unexpected EOF",
    "Connection reset",
    "Broken pipe",
    "peer closed connection",
    "early eof",
    "unexpected end of file",
    "received fatal alert",
)
"""How a cause begins where the other side went away."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure read from a chain of causes.

    ``before_answer`` is True where the connection ended before an answer's head was complete.
    """

    code: str
    text: str
    may_have_been_sent: bool
    before_answer: bool = False


def read_fault(error: PyreqwestError, connect_timeout: float, deadline: float) -> Fault:
    """What ``error`` says about the request. The two durations, in seconds, go into the text."""
    if isinstance(error, BuilderError):
        return Fault("call.unfillable", "the request can't be written as HTTP", False)
    causes = _causes(error)
    if CONNECT in causes:
        return Fault("call.unreachable", _why_no_connection(causes, connect_timeout), False)
    if isinstance(error, PoolTimeoutError):
        return Fault("call.timed_out", "no free connection in time", False)
    if isinstance(error, RequestTimeoutError) or "operation timed out" in causes:
        return Fault("call.timed_out", f"no complete answer within {deadline:g} s", True)
    return _broken_off(causes)


def _broken_off(causes: tuple[str, ...]) -> Fault:
    in_body = BODY in causes
    if any(cause.startswith(_CUT) for cause in causes):
        text = "closed in the middle of the answer" if in_body else "closed before an answer"
        return Fault("call.unreachable", text, True, before_answer=not in_body)
    if in_body:
        return Fault("call.bad_response", "the answer's body is not valid HTTP", True)
    if "message head is too large" in causes:
        return Fault("call.bad_response", "the answer's head is too large", True)
    if "client error (SendRequest)" in causes:
        return Fault("call.bad_response", "the answer is not HTTP", True)
    return Fault("call.unreachable", "the connection failed", True)


def _why_no_connection(causes: tuple[str, ...], connect_timeout: float) -> str:
    if "operation timed out" in causes or "deadline has elapsed" in causes:
        return f"no connection within {connect_timeout:g} s"
    for cause in causes:
        for beginning, text in _CONNECTING:
            if cause.startswith(beginning):
                return text
    return "no connection"


def _causes(error: PyreqwestError) -> tuple[str, ...]:
    details = getattr(error, "details", None) or {}
    return tuple(cause["message"] for cause in details.get("causes") or ())
