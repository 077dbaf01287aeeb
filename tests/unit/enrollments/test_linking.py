"""Anonymous users who turn out to be known ones, whatever is under way and whoever owns them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, permutations
from pathlib import Path
from typing import Any

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.db.connect import Connection
from engine.db.ids import IdMaker
from engine.enrollments.backlog import EVERY_BUCKET
from engine.enrollments.ledger import Ledger
from engine.enrollments.living import living, version_of
from engine.enrollments.store import ADMITTED, ENTERED, OUTCOME, SKIPPED
from engine.enrollments.store.holding import HELD
from engine.operations.erase import ask, carry_out, erase, held, pseudonym
from engine.users.incoming import Incoming, IncomingChange, IncomingEvent, IncomingLink
from engine.users.ingest import ingest
from engine.versions.store import Versions
from tests.unit.core.interpreter.passing import DAY, SECOND, call, pause
from tests.unit.enrollments.deciding import NOW, Desk

pytestmark = pytest.mark.usefixtures("either_database")

ANON, ADA = "anon:a", "ada"
CART: dict[str, Any] = {"triggers": [{"event": "cart"}]}
ORDERED: dict[str, Any] = {
    "id": "answer",
    "type": "wait_for",
    "any": [{"event": "ordered"}],
    "within": "P9D",
}
LINK = IncomingLink(ANON, ADA)
COUNTED = """SELECT step, kind, name, sum(n) FROM step_counts
  GROUP BY step, kind, name ORDER BY step, kind"""

_ids = IdMaker(lambda: 1)


def did(name: str, user: str = ANON, message: str | None = None, **said: Any) -> IncomingEvent:
    return IncomingEvent(user, name, said, None, message or f"{user} {name}")


def says(user: str = ANON, **values: Any) -> IncomingChange:
    return IncomingChange(user, values)


class House:
    """A database, and who decides: one for all users, or one for the anonymous and one for the
    rest.
    """

    def __init__(self, folder: Path, *, two: bool = False) -> None:
        first = set(range(bucket_of(ANON) % 2, 256, 2))
        assert bucket_of(ADA) not in first
        shares = [first, set(EVERY_BUCKET) - first] if two else [set(EVERY_BUCKET)]
        self.desks = [Desk(folder, share) for share in shares]
        self.desk = self.desks[-1]
        self.now = NOW
        self.ledgers: list[Ledger] = []

    def close(self) -> None:
        for desk in self.desks:
            desk.database.close()

    def tell(self, *facts: Incoming) -> None:
        """Put facts into the inbox."""
        self.now += 1
        with self.desk.database.write() as connection:
            ingest(connection, facts, now=self.now, new_id=_ids)

    def turn(self, which: int = 0, **more: Any) -> Ledger:
        self.now += 1
        ledger = self.desks[which].turn(self.now, inbox=True, **more)
        self.ledgers.append(ledger)
        return ledger

    def settle(self, *facts: Incoming) -> None:
        """Let everything come to rest."""
        if facts:
            self.tell(*facts)
        for _ in range(20):
            ledgers = [self.turn(which) for which in range(len(self.desks))]
            if not any(one.look_again for one in ledgers) and not self.query("SELECT 1 FROM inbox"):
                return
        raise AssertionError("it doesn't come to rest")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.desk.query(sql)

    @property
    def attributes(self) -> dict[str, dict[str, Any]]:
        return {
            row[0]: json.loads(row[1]) for row in self.query("SELECT id, attributes FROM users")
        }

    @property
    def events(self) -> list[tuple[str, str]]:
        rows = self.query("SELECT user_id, name FROM facts WHERE kind = 0 ORDER BY user_id, name")
        return [(row[0], row[1]) for row in rows]

    @property
    def passages(self) -> list[tuple[Any, ...]]:
        return self.query("SELECT user_id, state, outcome FROM enrollments ORDER BY id")


@pytest.fixture(params=[False, True], ids=["one worker", "two workers"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, two=request.param)
    yield made
    made.close()


def test_what_was_the_anonymous_users_is_the_known_ones_and_goes_on(house: House) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.settle(did("cart"), says(plan="free", city="Bonn"))
    house.settle(says(ADA, plan="pro"), LINK)
    assert house.attributes == {ADA: {"plan": "pro", "city": "Bonn"}}
    assert house.events == [(ADA, "cart")]
    assert house.passages == [(ADA, 0, None)]
    house.settle(did("ordered", ADA))
    assert house.passages == [(ADA, 2, "completed")]
    assert not house.query("SELECT 1 FROM facts WHERE bucket < 0")
    counts = (
        "SELECT kind, name, sum(n) FROM step_counts WHERE kind IN (5, 7) GROUP BY 1, 2 ORDER BY 1"
    )
    assert house.query(counts) == [(5, "completed", 1), (7, "", 1)]


def test_what_comes_later_for_the_anonymous_user_is_the_known_ones(house: House) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.settle(says(ADA, plan="pro"), LINK)
    house.settle(did("cart"), says(plan="free", city="Bonn", timezone="Europe/Berlin"))
    house.settle(did("ordered"))
    assert house.attributes == {ADA: {"plan": "pro", "city": "Bonn"}}
    assert house.query("SELECT timezone FROM users") == [("Europe/Berlin",)]
    assert house.events == [(ADA, "cart"), (ADA, "ordered")]
    assert house.passages == [(ADA, 2, "completed")]


@pytest.mark.parametrize("at_once", [True, False], ids=["in one turn", "turn by turn"])
def test_the_order_in_which_it_is_told_makes_no_difference(house: House, at_once: bool) -> None:
    house.desk.publish(ORDERED, entry=CART)
    orders: list[list[Incoming]] = []
    for number, order in enumerate(permutations(range(4))):
        who, known = f"{ANON}{number}", f"{ADA}{number}"
        free, pro = says(who, plan="free", city="Bonn"), says(known, plan="pro")
        facts: list[Incoming] = [did("cart", who), IncomingLink(who, known), free, pro]
        orders.append([facts[place] for place in order])
    for some in [list(chain(*orders))] if at_once else zip(*orders, strict=True):
        house.settle(*some)
    house.settle(*(fact for fact in orders[0] if not isinstance(fact, IncomingChange)))  # again
    known_ones = {f"{ADA}{n}" for n in range(24)}
    assert house.attributes == {who: {"plan": "pro", "city": "Bonn"} for who in known_ones}
    assert house.events == sorted((who, "cart") for who in known_ones)
    assert {row[0] for row in house.passages} == known_ones
    assert {row[1:] for row in house.passages} == {(0, None)}
    assert len(house.passages) == 24


def test_a_message_that_both_were_told_of_happened_once(house: House) -> None:
    house.settle(did("cart", message="m1"), did("seen", message="m2"))
    house.settle(did("cart", ADA, message="m1"), LINK)
    house.settle(did("seen", message="m2"))
    assert house.events == [(ADA, "cart"), (ADA, "seen")]


def test_facts_of_both_that_came_at_one_moment_keep_their_order(house: House) -> None:
    house.settle(*(did(f"e{n}", who) for n in range(5) for who in (ANON, ADA)))
    house.settle(LINK)
    rows = house.query("SELECT name, seq FROM facts ORDER BY seq")
    assert [name for name, _ in rows[::2]] == [f"e{n}" for n in range(5)] or len(rows) == 10
    assert len({seq for _, seq in rows}) == 10


def test_history_is_counted_and_heard_by_nobody_again(house: House) -> None:
    many = "event_count('seen', 'P1D') >= 3"
    three = {"id": "yes", "type": "exit", "outcome": "many", "when": many}
    come = {"triggers": [{"event": "go"}]}
    house.desk.publish(pause("rest", "PT1S"), three, entry=come)
    house.settle(did("seen", message="1"), did("seen", message="2"), did("seen", ADA, message="3"))
    house.settle(did("go", ADA))
    house.settle(LINK)
    house.now += 2 * SECOND
    house.settle()
    assert house.passages == [(ADA, 2, "many")]


def test_a_passage_of_a_journey_that_the_known_user_is_on_ends_as_merged(house: House) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.settle(did("cart"), did("cart", ADA), LINK)
    assert sorted(map(str, house.passages)) == ["('ada', 0, None)", "('ada', 2, 'merged')"]
    counted = [(-1, OUTCOME, "merged", 1), (-1, ADMITTED, "", 2)]
    assert house.query(COUNTED) == [*counted, (0, ENTERED, "", 2), (0, SKIPPED, "", 1)]
    assert house.query("SELECT status, visit, text FROM executions") == [(3, 1, "merged")]


def test_who_is_erased_on_his_way_is_counted_as_erased_and_waits_no_more(house: House) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.desk.publish(call("send"), name="sender", entry={"triggers": [{"event": "go"}]})
    house.settle(did("cart"), did("go", ADA))
    house.tell(LINK)
    house.turn()  # one passage is on its way to him, of another one the call is
    with house.desk.database.write() as connection:
        connection.exec_driver_sql("UPDATE calls SET attempts = 2")
        erase(connection, bucket_of(ADA), ADA)
    attempts = "SELECT attempts FROM step_counts WHERE kind = 3 ORDER BY attempts"
    assert house.query(attempts) == [(0,), (2,)]
    versions = Versions()
    for journey in ("j", "sender"):
        with house.desk.database.read() as connection:
            found = living(connection, version_of(connection, journey, versions), versions)
        assert (found.entered, found.waiting, found.outcomes) == (1, 0, {"erased": 1})
        assert [tally.waiting for tally in found.steps.values()] == [0]


BEGINS: dict[str, Any] = {"id": "other", "type": "start_journey", "journey": "j", "await": True}
LOGGED_IN: dict[str, Any] = {"triggers": [{"event": "login"}]}


def _standing(house: House) -> list[tuple[Any, ...]]:
    sql = "SELECT journey, user_id, outcome FROM enrollments ORDER BY journey, outcome, id"
    return sorted(house.query(sql), key=str)


def _began(house: House, event: str) -> None:
    """The anonymous user is on both journeys, and so is the known one by an event of his."""
    house.settle(did("login"))
    house.now += 1_000  # ids of two workers may meet in one millisecond
    house.settle(did(event, ADA))


def test_who_waits_for_a_passage_that_is_merged_waits_for_the_one_that_goes_on(
    house: House,
) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.desk.publish(BEGINS, name="parent", entry=LOGGED_IN)
    _began(house, "cart")
    house.settle(LINK)
    house.settle(did("seen", ADA))
    assert _standing(house) == [
        ("j", ADA, "merged"),
        ("j", ADA, None),
        ("parent", ADA, None),
    ]
    house.settle(did("ordered", ADA))
    assert _standing(house) == [
        ("j", ADA, "completed"),
        ("j", ADA, "merged"),
        ("parent", ADA, "completed"),
    ]
    told = "SELECT e.text FROM executions AS e JOIN enrollments AS p ON p.id = e.enrollment"
    assert house.query(f"{told} WHERE p.journey = 'parent'") == [("completed",)]


def test_who_waits_for_what_another_one_waits_for_goes_on(house: House) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.desk.publish(BEGINS, name="parent", entry=LOGGED_IN)
    house.desk.publish(BEGINS, name="his", entry={"triggers": [{"event": "back"}]})
    _began(house, "back")
    house.settle(LINK)
    assert _standing(house) == [
        ("his", ADA, None),
        ("j", ADA, "merged"),
        ("j", ADA, None),
        ("parent", ADA, "completed"),
    ]
    house.settle(did("ordered", ADA))
    assert [row[2] for row in _standing(house)] == ["completed", "completed", "merged", "completed"]


def test_who_waits_for_what_is_over_when_he_comes_goes_on(house: House) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.desk.publish(BEGINS, name="parent", entry=LOGGED_IN)
    _began(house, "cart")
    house.tell(LINK)
    while not house.query("SELECT 1 FROM inbox WHERE kind = 7"):  # he took over what was his
        for which in range(len(house.desks)):
            house.turn(which)
    with house.desk.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE enrollments SET state = 2, outcome = 'completed', slot = id, wake_at = NULL,"
            " ended_at = 1"
            " WHERE journey = 'j' AND outcome IS NULL"
        )
    house.settle()
    assert [row for row in _standing(house) if row[0] == "parent"] == [("parent", ADA, "completed")]


def test_a_call_that_waits_to_be_sent_goes_along(house: House) -> None:
    house.desk.publish(call("greet"), ORDERED, entry=CART)
    house.settle(did("cart"))
    house.settle(LINK)
    assert not house.desks[0].calls.queued or len(house.desks) == 1
    lane = ("crm", "j")
    assert any(one == lane for ledger in house.ledgers for one, _ in ledger.retries)
    desk = house.desk
    with desk.database.read() as connection:
        (found,) = desk.backlog.load_calls(connection, house.now, {lane: 9}, {})
    assert (found.passage.user.id, found.call.target) == (ADA, "/greet")
    desk.calls.sent[found.passage.id] = found
    house.turn(len(house.desks) - 1, answered=desk.answers(200, house.now))
    assert house.query("SELECT count(*) FROM calls") == [(0,)]
    house.settle(did("ordered", ADA))
    assert house.passages == [(ADA, 2, "completed")]


def test_a_call_on_the_wire_is_answered_before(house: House) -> None:
    house.desk.publish(call("greet"), ORDERED, entry=CART)
    first = house.desks[0]
    house.settle(did("cart"))
    first.send()
    house.tell(LINK)
    for _ in range(3):
        assert not house.turn().look_again
    house.tell(did("seen"))
    house.turn()
    assert house.passages == [(ANON, 1, None)]
    assert house.turn(answered=first.answers(200, house.now)).look_again
    house.settle(did("ordered", ADA))
    assert house.passages == [(ADA, 2, "completed")]
    assert house.events == [(ADA, "cart"), (ADA, "ordered"), (ADA, "seen")]
    assert house.query("SELECT count(*) FROM executions WHERE step = 0") == [(1,)]


def test_whoever_takes_over_from_the_dead_finishes_it(house: House) -> None:
    house.desk.publish(pause("rest", "PT1H"), entry=CART)
    house.settle(did("cart"), says(city="Bonn"))
    house.tell(LINK)
    house.turn()
    assert house.query("SELECT bucket, user_id FROM enrollments") == [(-1, ANON)]
    for desk in house.desks:
        desk.restart()
    house.settle()
    assert house.attributes == {ADA: {"city": "Bonn"}}
    house.now += 3600 * SECOND
    house.settle()
    assert house.passages == [(ADA, 2, "completed")]


def test_what_a_pause_holds_is_looked_at_anew(house: House) -> None:
    house.desk.publish(pause("rest", "PT1H"), entry=CART)
    house.settle(did("cart"))
    with house.desk.database.write() as connection:
        connection.exec_driver_sql("UPDATE enrollments SET wake_at = wake_at + ?", (HELD,))
    house.settle(LINK)
    ((wake_at,),) = house.query("SELECT wake_at FROM enrollments")
    assert NOW < wake_at < NOW + DAY


def test_who_orders_as_soon_as_he_is_known_has_ordered(house: House) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.settle(did("cart"), LINK, did("ordered", ADA))
    assert house.events == [(ADA, "cart"), (ADA, "ordered")]
    assert house.passages == [(ADA, 2, "completed")]


def test_what_the_known_user_did_before_is_not_heard_by_what_he_takes_over(house: House) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.settle(did("ordered", ADA))
    house.settle(did("cart"), LINK)
    assert house.passages == [(ADA, 0, None)]


def test_the_first_link_stays(house: House) -> None:
    house.settle(LINK)
    house.settle(IncomingLink(ANON, "bob"), did("cart"))
    assert house.events == [(ADA, "cart")]
    assert house.query("SELECT id, user_id FROM links") == [(ANON, ADA)]


def test_who_is_erased_is_gone_with_his_links_and_with_what_is_on_its_way_to_him(
    house: House,
) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.settle(did("cart"), says(city="Bonn"), says(ADA, plan="pro"))
    house.tell(LINK)
    house.turn()
    with house.desk.database.write() as connection:
        assert held(connection, ADA)["enrollments"] == 1
        gone = erase(connection, bucket_of(ADA), ADA)
        assert (gone["links"], gone["users"], gone["enrollments"]) == (1, 2, 1)
        assert not any(held(connection, ADA).values())
    for table in ("users", "facts", "enrollments", "executions", "links"):
        assert house.query(f"SELECT count(*) FROM {table}") == [(0,)], table
    house.desk.users.forget(ADA)
    house.settle(did("cart"))
    assert house.events == [(ANON, "cart")]


def _ask_to_erase(house: House) -> None:
    def carry(user_id: str, wish: str, connection: Connection) -> None:
        carry_out(connection, user_id, wish, now=house.now)

    for desk in house.desks:
        desk.around.erase = carry
    ask(house.desk.database, ADA, actor="root", now=house.now)


def test_what_stands_under_the_id_he_had_before_goes_with_who_is_erased(house: House) -> None:
    house.settle(says(ADA, plan="pro"), did("cart"), LINK)
    house.tell(did("late"))  # of the anonymous user, in his own bucket
    with house.desk.database.write() as connection:
        for number, user in enumerate((ANON, "anon:b")):
            connection.exec_driver_sql(
                "INSERT INTO hook_deliveries (hook_id, refused, id, at, size, code, detail,"
                " user_id, bucket) VALUES (?, ?, 1, ?, 9, '', '', ?, ?)",
                (number, False, NOW, user, bucket_of(user)),
            )
        found = held(connection, ADA)
        assert (found["inbox"], found["hook_deliveries"], found["links"]) == (1, 1, 1)
    _ask_to_erase(house)
    house.turn(len(house.desks) - 1)
    house.settle()
    assert house.query("SELECT user_id FROM hook_deliveries") == [("anon:b",)]
    assert house.events == house.query("SELECT id FROM links") == []
    with house.desk.database.read() as connection:
        said = "SELECT name FROM audit WHERE verb = 'erase' ORDER BY id"
        names = [row[0] for row in connection.exec_driver_sql(said)]
        assert names == [pseudonym(connection, ANON), pseudonym(connection, ADA)]


def test_who_was_about_to_turn_out_to_be_somebody_erased_is_erased_too(house: House) -> None:
    house.desk.publish(ORDERED, entry=CART)
    house.settle(says(ADA, plan="pro"), did("cart"))
    house.tell(LINK)
    _ask_to_erase(house)
    house.turn(len(house.desks) - 1)
    house.settle()
    for table in ("users", "facts", "enrollments", "executions", "links", "inbox"):
        assert house.query(f"SELECT count(*) FROM {table}") == [(0,)], table
