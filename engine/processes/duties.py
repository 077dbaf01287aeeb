"""Every duty with a clock, in one table: what it is called, when, what it does, where it is done.

Users' waits, journeys' schedules and dates, retries: all that is the workers' own work, and no
duty. A duty that fails or hangs is told of (``journey doctor``), tried again at its next time, and
in nobody's way.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.access.forgetting import forget as forget_access
from engine.clock import RealClock
from engine.core.expressions.calendar import DAY, HOUR, MINUTE, SECOND
from engine.core.expressions.schedules import Fires
from engine.credentials.listing import search_profiles
from engine.credentials.references import References
from engine.credentials.store.tokens import tokens_to_renew
from engine.db import upkeep
from engine.operations.backup import back_up, keep_newest, name_of
from engine.operations.retention import Kept, Retention
from engine.processes.renewal import renew
from engine.settings import environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.operations.watch import JourneysFolder
    from engine.settings import Settings

_log = logging.getLogger(__name__)

Kind = Literal["up", "worker", "scheduler", "api"]
"""The commands that start a process which runs until it is stopped."""

SCHEDULING: frozenset[Kind] = frozenset({"up", "scheduler"})

_LARGE_LOG = 64 * 1024 * 1024
_PAGES_AT_ONCE = 250
_FEW_PAGES = 1_000
"""A file that has fewer empty pages, or less than a tenth, keeps them: it will need them."""


@dataclass(frozen=True, slots=True)
class Every:
    """At every multiple of so many microseconds: at the same moments in every process."""

    us: int

    def after(self, instant: int, _zone: ZoneInfo) -> int:
        """The first time after an instant."""
        return (instant // self.us + 1) * self.us

    def __str__(self) -> str:
        unit, name = (MINUTE, "min") if self.us >= MINUTE else (SECOND, "s")
        return f"every {self.us // unit} {name}"


@dataclass(frozen=True, slots=True)
class Cron:
    """When five cron fields say, on the installation's clock (``JOURNEY_TIMEZONE``)."""

    fields: str

    def after(self, instant: int, zone: ZoneInfo) -> int:
        """The first time after an instant."""
        fire = Fires(self.fields, zone, instant + 1).first_from(instant + 1)
        assert fire is not None, self.fields  # noqa: S101 - the table's schedules never end
        return fire

    def __str__(self) -> str:
        minute, hour, *_ = self.fields.split()
        return f"at {hour:0>2}:{minute:0>2}"


@dataclass(frozen=True, slots=True)
class Post:
    """What a duty is given. ``now`` tells wall time; ``stopping`` says that the process ends;
    ``vault`` opens secrets when it is asked for; ``say`` takes a line for people; ``journeys`` are
    files to keep published.
    """

    database: Database
    settings: Settings
    now: Callable[[], int]
    stopping: Callable[[], bool]
    vault: Callable[[], Vault]
    say: Callable[[str], None]
    journeys: JourneysFolder | None = None


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty. ``do`` returns what it did in a few words, '' for nothing; what it raises is why it
    failed. ``wanted`` says where it is one at all. A ``shared`` duty is done by one of all the
    processes that have it, another one by each. After ``patience`` it is told of as hanging.
    """

    name: str
    when: Every | Cron
    what: str
    do: Callable[[Post], str]
    on: frozenset[Kind] = SCHEDULING
    shared: bool = True
    wanted: Callable[[Post], bool] = lambda _: True
    patience: int = HOUR


def renew_tokens(post: Post) -> str:
    """Renew the access tokens of profiles in use before somebody's call has to wait for it."""
    now = post.now()
    with post.database.read() as connection:
        due = tokens_to_renew(connection, now)
    if not due:
        return ""
    renewed = asyncio.run(renew(post.database, post.vault(), post.settings, RealClock(), due))
    return f"renewed {', '.join(renewed)}" if renewed else ""


def forget(post: Post) -> str:
    """Forget what is older than the settings keep it for."""
    kept = Kept.by(post.settings)
    retention = Retention(post.database, kept, post.now(), stopping=post.stopping)
    return str(retention.sweep())


def forget_sessions(post: Post) -> str:
    """Forget what of sessions, login links, throttling and API tokens is over."""
    return forget_access(post.database, post.now())


def vacuum(post: Post) -> str:
    """Give empty pages back to the disk, a few at a time."""
    if not post.database.is_file:
        return ""
    before = upkeep.pages(post.database)
    if before.free < max(_FEW_PAGES, before.total // 10):
        return ""
    if not before.shrinks:
        return "the file was made by an older version and can't shrink while it is used"
    left = before.free
    while left > 0 and not post.stopping():
        upkeep.give_back(post.database, _PAGES_AT_ONCE)
        left -= _PAGES_AT_ONCE
    after = upkeep.pages(post.database)
    return f"{(before.total - after.total) * before.size / 1e6:,.0f} MB given back"


def checkpoint(post: Post) -> str:
    """Cut the write-ahead log where a long reader has let it grow."""
    if not post.database.is_file:
        return ""
    size = upkeep.log_size(post.database)
    if size < _LARGE_LOG:
        return ""
    cut = upkeep.cut_log(post.database)
    return f"{size / 1e6:,.0f} MB {'cut' if cut else 'left: somebody reads from it'}"


def back_up_nightly(post: Post) -> str:
    """Make a backup in the folder that the settings name, and keep the newest ones."""
    folder = post.settings.backups_folder
    assert folder is not None  # noqa: S101 - it is wanted only then
    most = post.settings.backups_to_keep
    made = back_up(post.database, post.settings, folder / name_of(post.now()))
    deleted = keep_newest(folder, most)
    return f"{made.path.name}, {made.size / 1e6:,.1f} MB; {len(deleted)} older deleted"


def warn_of_endings(post: Post) -> str:
    """Warn of secrets that end within 30 days, or have ended."""
    references = References(environment(), post.settings.secret_folders)
    with post.database.read() as connection:
        profiles = search_profiles(connection, references=references)
    told = [
        f"{profile.name}: its {profile.ending.of} {profile.ending.text}"
        for profile in profiles
        if profile.ending is not None and profile.ending.state != "ok"
    ]
    for line in told:
        _log.warning("auth profile %s; journey auth rotate replaces it", line)
    return "; ".join(told)


def publish_folder(post: Post) -> str:
    """Publish what has changed in the folder of journeys."""
    assert post.journeys is not None  # noqa: S101 - it is wanted only then
    notices = post.journeys.look(post.database, now=post.now())
    for notice in notices:
        _log.log(logging.WARNING if notice.bad else logging.INFO, "%s", notice.text)
        post.say(notice.text)
    return "; ".join(notice.text for notice in notices)


DUTIES = (
    Duty(
        "journeys",
        Every(2 * SECOND),
        "Publishes what changes in the folder that `JOURNEY_JOURNEYS` or `--journeys` names"
        " ([Versions](versions.md)). Without it there is none.",
        publish_folder,
        shared=False,
        wanted=lambda post: post.journeys is not None,
        patience=5 * MINUTE,
    ),
    Duty(
        "tokens",
        Every(30 * SECOND),
        "Renews access tokens of journeys' endpoints shortly before they end, so that no call waits"
        " for it. Tokens that live less than five minutes are renewed by the calls that need them.",
        renew_tokens,
        shared=False,
        patience=5 * MINUTE,
    ),
    Duty(
        "checkpoint",
        Every(10 * MINUTE),
        "Cuts SQLite's write-ahead log where a long reader has let it grow over 64 MB.",
        checkpoint,
        shared=False,
        patience=10 * MINUTE,
    ),
    Duty(
        "sessions",
        Every(HOUR),
        "Forgets operators' sessions and login links that are over, failed logins that count no"
        " more, and API tokens that ended 90 days ago.",
        forget_sessions,
        patience=10 * MINUTE,
    ),
    Duty(
        "backup",
        Cron("43 2 * * *"),
        "Makes a backup in the folder that `JOURNEY_BACKUPS` names, and keeps the newest"
        " `JOURNEY_BACKUPS_KEPT`. Without that setting there is none.",
        back_up_nightly,
        wanted=lambda post: post.settings.backups_folder is not None,
        patience=6 * HOUR,
    ),
    Duty(
        "retention",
        Cron("13 3 * * *"),
        "Forgets what is older than it is kept for, in short transactions.",
        forget,
        patience=DAY,
    ),
    Duty(
        "vacuum",
        Cron("43 4 * * *"),
        "Gives SQLite's empty pages back to the disk if they are a tenth of the file.",
        vacuum,
        patience=6 * HOUR,
    ),
    Duty(
        "secrets",
        Cron("7 8 * * *"),
        "Warns in the log of secrets that end within 30 days.",
        warn_of_endings,
        patience=10 * MINUTE,
    ),
)
