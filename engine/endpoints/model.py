"""What an endpoint is: where calls go, how they are sent, and which credential they carry.

A model of what an operator writes. What is wrong raises errors as ``core/steps/fields.py``
describes them, so that a file's reader can say line and column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from engine.core.expressions.durations import SECOND, parse_duration
from engine.core.steps.definition import Definition
from engine.core.steps.fields import Count, Flag, Name, Read, Text, Title, Window, refuse
from engine.core.steps.terms import DEFAULT_TERMS, Delivery, RetryPolicy, Success, Terms, Timeout
from engine.endpoints.fields import (
    AllowText,
    BaseUrl,
    Headers,
    IdempotencyHeader,
    OfItsProfile,
    Pem,
    Size,
)
from engine.wire.transport import Network

if TYPE_CHECKING:
    from engine.endpoints.gate import GatePolicy

NO_AUTH = "none"
"""What an endpoint's ``auth`` says where it carries no credential; no profile may be called so."""


class Timeouts(Definition):
    """How long one attempt may take: ``connect`` per address, ``total`` to the last byte.

    Text alone (``timeout: 20s``) is the total.
    """

    connect: Timeout = Field(parse_duration("3s"), description="TCP and TLS, per address.")
    total: Timeout = Field(parse_duration("10s"), description="The whole attempt, 120s at most.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"total": value} if isinstance(value, str) else value


class RateLimit(Definition):
    """At most ``count`` requests in each ``per``; what is over it waits, nothing is dropped."""

    count: Count = Field(gt=0, le=1_000_000, description="So many requests at most.")
    per: Window = Field(description="In any span of this length.")


class CircuitBreaker(Definition):
    """Calls fail at once while the circuit is open, so that nobody waits for who doesn't answer."""

    failures: Count = Field(gt=0, le=10_000, description="Opens once so many attempts failed.")
    per: Window = Field(parse_duration("1m"), description="In a span of this length.")
    open_for: Window = Field(
        parse_duration("30s"), description="So long nothing is sent; then one call tries."
    )


class Hold(Definition):
    """Users wait at the call for a credential, or for a circuit to close, ``max`` at most.

    Text alone (``hold: 6h``) is the longest time.
    """

    max: Window = Field(parse_duration("P1D"), description="After that the call fails.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"max": value} if isinstance(value, str) else value


class OnAuthFailure(Definition):
    """What follows where a call has no valid credential. ``continue``: it fails, and the user goes
    on. ``hold``: he waits until it is mended.
    """

    hold: Hold | None = Field(None, description="Users wait, so long at most.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if isinstance(value, str):
            if value not in ("continue", "hold"):
                refuse("on_auth_failure.unknown", "this is neither `continue` nor `hold`")
            return {"hold": {}} if value == "hold" else {}
        return value


class NetworkSettings(Definition):
    """How the endpoint's host is reached. ``ca`` is PEM text trusted besides the public roots."""

    max_response: Size = Field(1024 * 1024, description="Bytes of an answer's body, ≤ 64 MiB.")
    ca: Pem | None = Field(None, description="PEM certificates, trusted besides the public ones.")
    client_certificate: OfItsProfile = Field(
        None, description="Shown in TLS; the same as the `client_certificate` of its `auth`."
    )


def _read_auth(raw: object) -> str:
    if not isinstance(raw, str):
        refuse("auth.invalid", "`auth` names an auth profile, or `none`")
    return raw


class Endpoint(Definition):
    """A host that journeys call, by name. It holds no secret: ``auth`` names an auth profile.

    ``base_url`` is literal; a call's path is put behind its path and never changes its host.
    ``engine/docs/endpoints.md`` explains every field.
    """

    name: Name = Field(description="The name that journeys call it by.")
    title: Title | None = Field(None, description="What people see instead of the name.")
    description: Text | None = Field(None, description="What it is for.")
    base_url: BaseUrl = Field(description="Where it is: https://host, perhaps with a path.")
    allow: tuple[AllowText, ...] = Field(
        (), max_length=100, description="Methods and paths that calls may have; all unless said."
    )
    headers: Headers = Field(
        default_factory=dict, description="Sent with every call; never a credential."
    )
    auth: Annotated[str, Read(_read_auth, {"type": "string"})] = Field(
        NO_AUTH, description="The auth profile whose credential its calls carry, or `none`."
    )
    timeout: Timeouts = Field(Timeouts(), description="How long one attempt may take.")
    retry: RetryPolicy = Field(RetryPolicy(), description="When a failed attempt is made again.")
    success: Success | None = Field(
        None, description="Which answers are a success; 2xx unless said."
    )
    rate_limit: RateLimit | None = Field(None, description="What is over it waits.")
    concurrency: Count = Field(
        100, gt=0, le=10_000, description="How many calls may be on their way at once."
    )
    circuit_breaker: CircuitBreaker | None = Field(
        None, description="Stops calls to who doesn't answer; unless said, none."
    )
    delivery: Delivery = Field(
        "at_least_once", description="at_most_once: never repeated once it may have been sent."
    )
    idempotency_header: IdempotencyHeader = Field(
        "Idempotency-Key", description="Carries a key that is the same at every attempt; or `none`."
    )
    on_auth_failure: OnAuthFailure = Field(
        OnAuthFailure(), description="`continue`, or `hold` until the credential is mended."
    )
    network: NetworkSettings = Field(NetworkSettings(), description="How its host is reached.")
    contact: Flag = Field(False, description="true: its calls reach a person.")

    @property
    def hold(self) -> int | None:
        """How long (microseconds) its calls wait to be let through; None: not at all."""
        held = self.on_auth_failure.hold
        return None if held is None else held.max.microseconds

    @property
    def profile(self) -> str | None:
        """The name of the auth profile whose credential its calls carry; None for none."""
        return None if self.auth == NO_AUTH else self.auth


def terms(endpoint: Endpoint) -> Terms:
    """What the steps that call this endpoint go by: timeout, retry, success, delivery, hold."""
    return Terms(
        timeout_us=endpoint.timeout.total.microseconds,
        retry=endpoint.retry,
        success=endpoint.success or DEFAULT_TERMS.success,
        delivery=endpoint.delivery,
        contact=endpoint.contact,
        hold=endpoint.hold,
    )


def gate_policy(endpoint: Endpoint) -> GatePolicy:
    """What shuts the endpoint to calls."""
    from engine.endpoints.gate import Breaker, GatePolicy  # noqa: PLC0415 - to know terms needs none

    written = endpoint.circuit_breaker
    breaker = None
    if written is not None:
        per, open_for = written.per.microseconds, written.open_for.microseconds
        breaker = Breaker(written.failures, per, open_for)
    return GatePolicy(breaker, endpoint.hold)


def network(endpoint: Endpoint) -> Network:
    """How the transport reaches this endpoint."""
    connect = min(endpoint.timeout.connect.microseconds, endpoint.timeout.total.microseconds)
    return Network(
        connect_timeout_s=connect / SECOND,
        max_response=endpoint.network.max_response,
        ca=endpoint.network.ca,
    )
