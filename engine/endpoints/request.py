"""What to send to an endpoint: pure, from an endpoint and a decided call to a complete request.

Whatever a journey rendered into a path, the request goes to the endpoint's own host and stays below
its base path: the target is checked here and the whole URL again by the parser that dials it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from engine import __version__
from engine.core.message import Request
from engine.endpoints.targets import AllowRule, target_problem
from engine.errors import CallFailure
from engine.wire.origin import Origin, origin_of, prefix_of

if TYPE_CHECKING:
    from engine.endpoints.model import Endpoint

USER_AGENT = f"journey-engine/{__version__}"

MOST_KNOWN = 1024
"""Targets of an endpoint whose URLs are kept: most journeys call the same few."""

_JSON = "application/json"

Headers = tuple[tuple[str, str], ...]


class Sendable(Protocol):
    """What a request is made of: a decided call, or its row. Never a credential."""

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        ...

    @property
    def target(self) -> str:
        """Path and query, encoded, beginning with ``/``."""
        ...

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What the journey sets, lower-case names."""
        ...

    @property
    def content_type(self) -> str | None:
        """The body's type, None without a body."""
        ...

    @property
    def body(self) -> bytes:
        """The bytes to send."""
        ...


@dataclass(slots=True, frozen=True)
class RequestTemplate:
    """What all requests to one endpoint have in common: made once per endpoint version.

    ``root`` is the base URL, ``base`` the same without the slash at its end, ``prefix`` its scheme,
    host and port as written, ``origin`` who is dialled; ``known`` holds URLs that were checked, by
    method and target. ``plain`` are the headers, by content type, of calls that set none, without
    the idempotency key's.
    """

    root: str
    base: str
    prefix: str
    origin: Origin
    headers: dict[str, str]
    allow: tuple[AllowRule, ...]
    idempotency_header: str | None
    known: dict[tuple[str, str], str] = field(default_factory=dict, compare=False, repr=False)
    plain: dict[str | None, Headers] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, endpoint: Endpoint) -> RequestTemplate:
        """The template of an endpoint. Raises CallFailure for a base URL that can't be dialled."""
        headers = {"user-agent": USER_AGENT}
        headers.update((name.lower(), value) for name, value in endpoint.headers.items())
        header = endpoint.idempotency_header
        return cls(
            root=endpoint.base_url,
            base=endpoint.base_url.removesuffix("/"),
            prefix=prefix_of(endpoint.base_url),
            origin=origin_of(endpoint.base_url),
            headers=headers,
            allow=tuple(AllowRule.read(rule) for rule in endpoint.allow),
            idempotency_header=header.lower() if header else None,
        )

    def build(self, call: Sendable, idempotency_key: str) -> Request:
        """The request of one call, without its credential.

        Of a header named twice the last stands: the endpoint's, the call's content type, the
        step's, the idempotency key. Raises CallFailure ``call.blocked`` for a target that could
        leave the endpoint, or that its ``allow`` doesn't cover.
        """
        method, target = call.method, call.target
        if call.headers:
            headers = self._headers(call.content_type, call.headers)
        else:
            headers = self.plain.get(call.content_type) or self._plain(call.content_type)
        if self.idempotency_header:
            headers = (*headers, (self.idempotency_header, idempotency_key))
        url = self.known.get((method, target)) or self._url(method, target)
        return Request(method, url, headers, call.body)

    def _headers(self, content_type: str | None, given: Headers) -> Headers:
        headers = dict(self.headers)
        # An endpoint may say which kind of JSON it takes (application/vnd.api+json).
        if content_type and not (content_type == _JSON and "content-type" in headers):
            headers["content-type"] = content_type
        headers.update(given)
        headers.pop(self.idempotency_header or "", None)
        return tuple(headers.items())

    def _plain(self, content_type: str | None) -> Headers:
        if len(self.plain) >= MOST_KNOWN:
            self.plain.clear()
        headers = self.plain[content_type] = self._headers(content_type, ())
        return headers

    def _url(self, method: str, target: str) -> str:
        problem = target_problem(target)
        if problem is not None:
            raise CallFailure(problem, code="call.blocked")
        path, mark, query = target.partition("?")
        if self.allow and not any(rule.covers(method, path) for rule in self.allow):
            raise CallFailure(
                f"the endpoint's `allow` doesn't cover {method} on this path", code="call.blocked"
            )
        url = (self.root if path == "/" else self.base + path) + mark + query
        if not url.startswith(self.prefix) or prefix_of(url) != self.prefix:
            raise CallFailure("the path leaves the endpoint's host", code="call.blocked")
        if len(self.known) >= MOST_KNOWN:
            self.known.clear()
        self.known[method, target] = url
        return url


def build(endpoint: Endpoint, call: Sendable, idempotency_key: str) -> Request:
    """One request, from scratch; see :meth:`RequestTemplate.build`."""
    return RequestTemplate.of(endpoint).build(call, idempotency_key)
