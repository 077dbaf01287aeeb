"""Every route of the console, in one table: what is asked of whoever wants it stands there too."""

from __future__ import annotations

from engine.console.pages import (
    account,
    audit,
    calls,
    deleting,
    endpoints,
    events,
    health,
    journeys,
    login,
    operators,
    profiles,
    publishing,
    report,
    tokens,
    users,
)

PAGES = (
    *login.PAGES,
    *account.PAGES,
    *publishing.PAGES,
    *journeys.PAGES,
    *report.PAGES,
    *users.PAGES,
    *events.PAGES,
    *calls.PAGES,
    *endpoints.PAGES,
    *profiles.PAGES,
    *deleting.PAGES,
    *tokens.PAGES,
    *operators.PAGES,
    *health.PAGES,
    *audit.PAGES,
)
