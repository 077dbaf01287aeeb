from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.interpreter.state import User
from engine.enrollments.backlog import Backlog
from engine.enrollments.buckets import BucketsLost
from engine.enrollments.calls_held import CallsHeld
from engine.enrollments.users_held import UsersHeld
from engine.errors import DatabaseUnavailable
from engine.processes.sharing import Share


@dataclass
class Having:
    """Buckets, as another thread's heartbeat would change them."""

    buckets: tuple[int, ...] = ()
    extra: frozenset[int] = frozenset()
    lost: bool = False
    heartbeat_s: float = 10.0
    mine: bool = True

    def require(self) -> None:
        if self.lost:
            raise BucketsLost("they are gone")

    def surplus(self) -> frozenset[int]:
        return self.extra

    def give(self, buckets: Collection[int]) -> None:
        self.buckets = tuple(one for one in self.buckets if one not in buckets)
        self.extra = self.extra.difference(buckets)


@dataclass
class Reads:
    """A database that can be read, or can't."""

    can: bool = True

    @contextmanager
    def read(self) -> Iterator[None]:
        if not self.can:
            raise DatabaseUnavailable("it is away")
        yield


class Opens(Backlog):
    """A backlog that has nothing, and counts how often it was asked."""

    def __init__(self, users: UsersHeld) -> None:
        super().__init__(None, SimpleNamespace(), users)  # type: ignore[arg-type]
        self.opened = 0

    def open(self, connection: Any) -> None:
        self.opened += 1


@dataclass(eq=False)
class OneHeld:
    """What is held of a call."""

    passage: SimpleNamespace
    call: SimpleNamespace
    place: tuple[int, ...]
    lane: tuple[str, str] = ("api", "j")


@dataclass
class World:
    owned: Having = field(default_factory=Having)
    database: Reads = field(default_factory=Reads)
    users: UsersHeld = field(default_factory=UsersHeld)
    calls: CallsHeld = field(default_factory=CallsHeld)

    def __post_init__(self) -> None:
        self.backlog = Opens(self.users)
        given: tuple[Any, ...] = (self.database, self.owned, self.calls, self.backlog)
        given = (*given, self.backlog.open)
        self.share = Share(*given)

    def call(self, bucket: int, *, again: bool = False) -> Any:
        """A call in memory."""
        passage = SimpleNamespace(id=bucket, user=SimpleNamespace(bucket=bucket, id=str(bucket)))
        call = SimpleNamespace(redrive=again)
        held: Any = OneHeld(passage, call, (bucket,))
        self.calls.hold(held)
        return held


def test_who_has_no_bucket_yet_loads_from_none() -> None:
    world = World()
    assert world.backlog.buckets == world.backlog.owned == ()
    assert not world.share.is_another


def test_what_came_is_looked_into_and_tried_again_where_it_cant_be() -> None:
    world = World(Having((1, 2)), Reads(can=False))
    world.share.settle()
    assert world.share.is_another
    assert world.backlog.owned == (1, 2)
    world.database.can = True
    assert world.share.settle()
    assert (world.backlog.buckets, world.backlog.opened) == ((1, 2), 1)
    assert not world.share.is_another


@pytest.mark.parametrize("again", [False, True])
def test_a_bucket_goes_when_none_of_its_calls_is_under_way(again: bool) -> None:
    world = World(Having((1, 2, 3)))
    world.share.settle()
    unsent, sent = world.call(2, again=again), world.call(3, again=again)
    assert world.calls.take(sent), "it is on the wire"
    world.owned.extra = frozenset({2, 3})
    world.share.settle()
    assert not world.calls.is_unsent(unsent)
    assert (world.owned.buckets, world.backlog.buckets) == ((1, 3), (1,))
    assert world.share.giving == {3}
    world.calls.forget(sent)
    world.share.settle()
    assert world.owned.buckets == world.backlog.owned == (1,)
    assert world.share.giving == frozenset()


def test_users_who_come_back_are_read_anew() -> None:
    world = World(Having((1,)))
    world.share.settle()
    old = world.users.keep("ada", lambda: User("ada", 1, None, {}))
    world.owned.buckets = ()
    world.share.settle()
    world.owned.buckets = (1,)
    world.share.settle()
    assert world.users.keep("ada", lambda: User("ada", 1, None, {"n": 1})) is not old


def test_a_surplus_that_is_none_any_more_is_loaded_from_again() -> None:
    world = World(Having((1, 2)))
    world.share.settle()
    sent = world.call(2)
    assert world.calls.take(sent)
    world.owned.extra = frozenset({2})
    world.share.settle()
    world.owned.extra = frozenset()
    assert world.share.settle(), "what was withdrawn is to be found again"
    assert world.backlog.buckets == (1, 2)


def test_who_lost_everything_finds_it_though_there_is_nothing_to_do() -> None:
    world = World()
    world.owned.lost = True
    assert world.share.is_another
    with pytest.raises(BucketsLost):
        world.share.settle()
