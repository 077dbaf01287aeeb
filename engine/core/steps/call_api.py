"""``call_api``: send a request to an endpoint; judge the answer; go on whatever it was."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from engine.core.expressions.errors import Unfillable
from engine.core.expressions.paths import compile_path
from engine.core.guarded_json import NotGuardedJSON
from engine.core.steps.answers import failure_of_status, next_attempt, next_held, response_of
from engine.core.steps.base import FOLLOWING, Again, Call, End, Exit, Move, Result, View
from engine.core.steps.computed import AnyValue, FromAnswer, Path
from engine.core.steps.editors import excludes, needs
from engine.core.steps.fields import Flag, Name, Read, refuse
from engine.core.steps.flow import Jump, Way
from engine.core.steps.model import StepModel
from engine.core.steps.rendering import (
    render_form,
    render_headers,
    render_json,
    render_query,
    render_text,
)
from engine.core.steps.terms import DEFAULT_TERMS, Delivery, RetryPolicy, Success, Terms, Timeout
from engine.core.steps.writes import Target, Write, write_to, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.core.expressions.grammar import Expression
    from engine.core.expressions.scope import Scope
    from engine.core.expressions.values import Value

__all__ = ["CallApiStep", "Delivery", "RetryPolicy", "Success", "Terms"]

WIRE_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that the message itself makes; a journey sets none of them."""

_RESPONSE_KEYS = frozenset({"status", "headers", "body", "text"})
_ROOT = compile_path("/")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_MEDIA_TYPE = re.compile(r"[\x21-\x7e]+/[\x20-\x7e]+")


def _read_header_name(raw: object) -> str:
    if not isinstance(raw, str) or not _TOKEN.fullmatch(raw):
        shown = repr(raw[:80]) if isinstance(raw, str) else "this"
        refuse("header.name", f"{shown} is no header name", "letters, digits and -, no spaces")
    if raw.lower() in WIRE_HEADERS:
        remedy = "`content_type` beside `text`" if raw.lower() == "content-type" else "drop it"
        refuse("header.of_the_wire", f"the request itself makes the header {raw!r}", remedy)
    return raw


def _read_media_type(raw: object) -> str:
    if not isinstance(raw, str) or not _MEDIA_TYPE.fullmatch(raw) or len(raw) > 200:
        refuse("content_type.invalid", "this is no media type", "as in text/csv; charset=utf-8")
    return raw


HeaderName = Annotated[
    str,
    Read(
        _read_header_name,
        {"title": "header", "type": "string", "pattern": f"^{_TOKEN.pattern}$"},
    ),
]
"""A field name of RFC 9110, 5.1."""

MediaType = Annotated[
    str,
    Read(
        _read_media_type,
        {
            "title": "media type",
            "type": "string",
            "pattern": f"^{_MEDIA_TYPE.pattern}$",
            "examples": ["text/csv"],
        },
    ),
]
"""A ``Content-Type``."""


class CallApiStep(StepModel):
    """Call an endpoint. How to reach it, and authenticate there, is the endpoint's business."""

    editor_rules = (
        excludes("body", "form", "text"),
        excludes("form", "text"),
        needs("content_type", "text"),
    )

    type: Literal["call_api"] = Field(description="Calls an endpoint.")
    endpoint: Name = Field(description="The name of the endpoint.")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = Field(
        "POST", description="The HTTP method."
    )
    path: Path = Field(
        default_factory=lambda: _ROOT,
        description="The path behind the endpoint's address; may hold {{ }}.",
    )
    query: dict[Annotated[str, Field(min_length=1)], AnyValue] = Field(
        {}, description="Query parameters; a list repeats its name."
    )
    headers: dict[HeaderName, AnyValue] = Field(
        {}, description="Request headers; credentials are never among them."
    )
    body: AnyValue | None = Field(None, description="The body, sent as JSON.")
    form: dict[Annotated[str, Field(min_length=1)], AnyValue] | None = Field(
        None, description="The body, sent as an HTML form."
    )
    text: AnyValue | None = Field(None, description="The body, sent as text.")
    content_type: MediaType | None = Field(
        None, description="The type of `text`; text/plain unless said."
    )
    timeout: Timeout | None = Field(
        None, description="How long one attempt may take; the endpoint's unless said."
    )
    retry: RetryPolicy | None = Field(
        None, description="When to try again; keys not named here are the endpoint's."
    )
    success: Success | None = Field(
        None, description="Which answers are a success; the endpoint's rule unless said."
    )
    outputs: dict[Target, FromAnswer] = Field(
        {}, description="What to keep of the answer: vars.NAME or user.NAME."
    )
    on_failure: Way = Field(
        "continue", description="Where to go when the call has failed for good."
    )
    contact: Flag | None = Field(
        None, description="false: contact policy doesn't hold for this call."
    )

    @model_validator(mode="after")
    def _one_body(self) -> CallApiStep:
        given = [name for name in ("body", "form", "text") if getattr(self, name) is not None]
        if len(given) > 1:
            refuse(
                "call.two_bodies", f"`{given[0]}` and `{given[1]}` exclude each other", "keep one"
            )
        if self.content_type is not None and self.text is None:
            refuse(
                "call.content_type",
                "`content_type` goes with `text`",
                "drop it: JSON and forms have one",
            )
        return self

    @property
    def timeout_us(self) -> int | None:
        """The step's own timeout in microseconds; None: the endpoint's."""
        return self.timeout.elapsed if self.timeout else None

    def exits(self) -> tuple[Exit, ...]:
        """Where ``on_failure`` jumps to, if it does."""
        if isinstance(self.on_failure, Jump):
            return (Exit("on_failure", next=self.on_failure.next, at=("on_failure",)),)
        return ()

    def decide(self, view: View) -> Call | Move | End:
        """The request, rendered; or ``call.unfillable``, which goes where failures go."""
        try:
            return self._request(view.scope)
        except Unfillable as failure:
            place = ".".join(str(part) for part in failure.path)
            text = f"{place}: {failure.message}" if place else failure.message
            return self.failed(view, "call.unfillable", text)

    def resume(self, view: View, result: Result) -> Move | Again | End:
        """Success with its outputs, the same once more, or a failure."""
        terms = view.terms.get(self.endpoint, DEFAULT_TERMS)
        answer = result.answer
        failure, text = result.failure or answer.failure, result.text or answer.text
        if failure is None:
            judged = self._judged(view, result, self.success or terms.success)
            if isinstance(judged, Move):
                return judged
            failure, text = judged
        held = next_held(terms.hold, view.now, result, failure, text)
        if held is not None:
            return held
        policy = terms.retry.overridden_by(self.retry)
        if terms.delivery == "at_least_once" and policy.retries(failure):
            following = next_attempt(policy, view, result, failure, text)
            if isinstance(following, Again):
                return following
            text = following
        return self.failed(view, failure, text, answer.status or None)

    def failed(
        self, view: View, failure: str, text: str, http_status: int | None = None
    ) -> Move | End:
        """As ``on_failure`` says."""
        if self.on_failure == "exit":
            return End(f"failed:{view.step_id}", "failed", failure, text, http_status)
        way = FOLLOWING if self.on_failure == "continue" else 0
        return Move(way, "failed", failure, text, http_status=http_status)

    @cached_property
    def _request(self) -> Callable[[Scope], Call]:
        """Makes the request from a scope; what is the same for everybody is looked up once."""
        endpoint, method, timeout_us = self.endpoint, self.method, self.timeout_us
        path, query, headers = self.path, self.query, self._headers
        encoded, content_type = self._encoding

        def request(scope: Scope) -> Call:
            target = path.render(scope)
            if query:
                asked = render_query(query, scope)
                if asked:
                    target += "?" + asked
            body = encoded(scope) if encoded is not None else b""
            rendered = render_headers(headers, scope) if headers else ()
            return Call(endpoint, method, target, rendered, body, content_type, timeout_us)

        return request

    @cached_property
    def _encoding(self) -> tuple[Callable[[Scope], bytes] | None, str | None]:
        """What makes the body, and its content type."""
        if self.body is not None:
            return partial(render_json, self.body), "application/json"
        if self.form is not None:
            return partial(render_form, self.form), "application/x-www-form-urlencoded"
        if self.text is not None:
            return partial(render_text, self.text), self.content_type or "text/plain; charset=utf-8"
        return None, None

    @cached_property
    def _headers(self) -> tuple[tuple[str, Value], ...]:
        return tuple((name.lower(), value) for name, value in self.headers.items())

    @cached_property
    def _writes(self) -> tuple[Write, ...]:
        return tuple(write_to(target, source.filler()) for target, source in self.outputs.items())

    @cached_property
    def _outputs_read(self) -> frozenset[str]:
        return _keys_read(self.outputs.values())

    def _judged(self, view: View, result: Result, success: Success) -> Move | tuple[str, str]:
        """The step's success with what it wrote, or a failure and its text."""
        answer, when, writes = result.answer, success.when, self._writes
        accepted = when is None and success.accepts(answer.status)
        if when is None and not accepted:
            return failure_of_status(answer.status), f"answered {answer.status}"
        if not writes and when is None:
            return _succeeded(answer.status)
        read = self._outputs_read if when is None else self._outputs_read | _keys_read([when])
        try:
            view.scope.response = response_of(answer, read)
            if when is not None and not when.holds(view.scope):
                code = failure_of_status(answer.status)
                return code, f"answered {answer.status}; not true: {when.source}"
            variables, attributes = written(writes, view.scope)
        except NotGuardedJSON as error:
            refused = not accepted and answer.status >= 300
            code = failure_of_status(answer.status) if refused else "call.bad_response"
            return code, f"answered {answer.status}; the body is {error}"
        except Unfillable as failure:
            return "call.bad_response", f"answered {answer.status}; {failure.message}"
        finally:
            view.scope.response = None
        return Move(http_status=answer.status, vars=variables, user=attributes)


@lru_cache(maxsize=1_000)
def _succeeded(status: int) -> Move:
    return Move(http_status=status)


def _keys_read(expressions: Iterable[Expression]) -> frozenset[str]:
    """Which keys of ``response`` these read; all of them if one takes it whole."""
    keys: set[str] = set()
    for expression in expressions:
        for root, *path in expression.references:
            if root == "response":
                keys.update(path[:1] or _RESPONSE_KEYS)
    return frozenset(keys)
