"""``auth test`` and ``endpoints test``: one request now, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.context import opened
from engine.cli.outcome import CHECK_FAILED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.cli.context import Installation
    from engine.operations.probe import Means, TestCall, Tried


def try_auth(
    name: str,
    endpoint: str | None,
    path: str | None,
    method: str,
    *,
    as_json: bool,
    database_url: str | None,
) -> None:
    """Try a profile, and send a request if an endpoint or a path is given."""
    from engine.operations import probe

    with opened(database_url) as installation:
        if endpoint is None and path is not None:
            endpoint = probe.only_endpoint_of(installation.database(), name)
        tried = _run(installation, lambda means: probe.try_profile(means, name))
        _report(f"auth profile {name}", tried, as_json)
        if endpoint is None:
            return
        call = probe.TestCall(endpoint, method.upper(), path or "/")
        tried = _run(installation, lambda means: probe.try_endpoint(means, call, name))
    _report(_words(call), tried, as_json)


def try_endpoint(
    name: str, method: str, path: str, *, as_json: bool, database_url: str | None
) -> None:
    """Send one request to an endpoint, as a journey's call would be sent."""
    from engine.operations import probe

    call = probe.TestCall(name, method.upper(), path)
    with opened(database_url) as installation:
        tried = _run(installation, lambda means: probe.try_endpoint(means, call))
    _report(_words(call), tried, as_json)


def _run(installation: Installation, attempt: Callable[[Means], Awaitable[Tried]]) -> Tried:
    from engine.operations.probe import attempted

    database, vault = installation.database(), installation.vault()
    return attempted(database, vault, installation.references(), installation.egress(), attempt)


def _words(call: TestCall) -> str:
    return f"{call.method} {call.target} at {call.endpoint}"


def _report(what: str, tried: Tried, as_json: bool) -> None:
    """Print what became of it; ends the command with exit code 6 where it failed."""
    if as_json:
        from dataclasses import asdict
        from json import dumps

        click.echo(dumps({"test": what} | asdict(tried), ensure_ascii=False))
    else:
        said = [str(tried.status)] if tried.status else []
        said += [tried.failure] if tried.failure else []
        said += [] if said else ["ok" if tried.ok else "failed"]
        said += [f"{tried.elapsed_us / 1000:.0f} ms"] if tried.elapsed_us else []
        said += [f"{tried.attempts} requests"] if tried.attempts > 1 else []
        said += [f"with {', '.join(tried.attached)}"] if tried.attached else []
        said += [tried.text] if tried.text else []
        click.echo(f"{what}: {' · '.join(said)}")
    if not tried.ok:
        raise click.exceptions.Exit(CHECK_FAILED)
