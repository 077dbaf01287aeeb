"""The sample journeys do what their comments say."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.scenario_files import load_scenarios
from engine.endpoints.file import read_file
from tests.journeys.walking import SAMPLES, load, sample_users, user, walk

NAMES = ("welcome", "loyalty-upgrade", "renewal")
BY_EVENTS = ("cart-rescue", "win-back")
MONDAY = "2027-03-01T12:00:00+00:00"


def crm(score: int) -> str:
    return f'crm=200:{{"score": {score}}}'


COUPON = 'loyalty=201:{"code": "C-1"}'


# --- the files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, *BY_EVENTS])
def test_a_sample_has_no_error_and_no_warning(name: str) -> None:
    loaded = load(name)
    assert loaded.warnings == ()
    assert loaded.journey.journey == name


def test_every_yaml_file_among_the_samples_is_known_to_the_tests() -> None:
    assert {path.stem for path in SAMPLES.glob("*.yaml")} == {
        "endpoints",
        *(name + ending for name in (*NAMES, *BY_EVENTS) for ending in ("", ".scenarios")),
    }


def test_the_samples_name_only_endpoints_that_their_file_has() -> None:
    file = SAMPLES / "endpoints.yaml"
    written = read_file(file.read_bytes(), str(file))
    named = {each.endpoint.name for each in written.endpoints}
    profiles = {each.name for each in written.profiles}
    assert named == {end for name in (*NAMES, *BY_EVENTS) for end in load(name).checked.endpoints}
    assert {each.endpoint.profile for each in written.endpoints} == profiles


def test_the_sample_customers_are_forty_over_many_zones() -> None:
    customers = sample_users()
    assert len(customers) == 40
    assert len({each.timezone for each in customers}) > 20
    assert all(str(each.attributes["email"]).endswith("@example.com") for each in customers)


def test_the_readme_of_the_samples_names_each_of_them() -> None:
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in _samples() if f"`{path.name}`" not in text] == []


@pytest.mark.parametrize("name", [*NAMES, *BY_EVENTS])
def test_the_scenarios_of_a_sample_go_as_they_say(name: str) -> None:
    loaded = load_scenarios(SAMPLES / f"{name}.scenarios.yaml")
    assert {one.name: loaded.run(one) for _, one in loaded.each()} == {
        one.name: () for _, one in loaded.each()
    }


def _samples() -> list[Path]:
    return [path for path in sorted(SAMPLES.iterdir()) if path.name != "README.md"]


# --- welcome -----------------------------------------------------------------------------------


def test_welcome_sends_tips_at_ten_of_a_working_day_to_whoever_needs_them() -> None:
    # Greeted on a Thursday: two days later it is Saturday.
    thursday = "2027-03-04T12:00:00+00:00"
    ways = walk(
        "welcome",
        [
            user("tokyo", "Asia/Tokyo", first_name="Haruka"),
            user("lima", "America/Lima", onboarded=True),
        ],
        start=thursday,
    )
    tokyo, lima = ways["tokyo"], ways["lima"]
    assert tokyo.waited_until == {
        "settle": "2027-03-06T21:00+09:00",
        "morning": "2027-03-08T10:00+09:00",
    }
    assert lima.waited_until["morning"] == "2027-03-08T10:00-05:00"
    assert [body for _, _, body in tokyo.sent] == [
        {"to": "tokyo@example.com", "template": "welcome", "name": "Haruka"},
        {"to": "tokyo@example.com", "template": "tips"},
    ]
    assert lima.status["tips"] == "skipped"
    assert [body for _, _, body in lima.sent] == [
        {"to": "lima@example.com", "template": "welcome", "name": "there"}
    ]
    assert tokyo.outcome == lima.outcome == ["welcomed"]


# --- loyalty-upgrade ---------------------------------------------------------------------------


def test_an_ordinary_customer_gets_no_offer() -> None:
    way = walk("loyalty-upgrade", [user()], start=MONDAY, answers=[crm(499)])["u1"]
    assert way.steps == [("score", "succeeded"), ("worth", "succeeded"), ("not_now", "succeeded")]
    assert way.outcome == ["not_yet"]


def test_a_good_customer_gets_one_of_two_gifts_and_is_told_which() -> None:
    customers = [user(f"u{number}") for number in range(200)]
    ways = walk("loyalty-upgrade", customers, start=MONDAY, answers=[crm(500), COUPON])
    assert {way.outcome[0] for way in ways.values()} == {"offered"}
    coupons = [way for way in ways.values() if "coupon" in way.status]
    points = [way for way in ways.values() if "points" in way.status]
    assert len(coupons) + len(points) == 200
    assert 70 < len(coupons) < 130
    assert {way.sent[-1][2]["template"] for way in coupons} == {"upgrade-coupon"}  # type: ignore[index]
    assert {way.sent[-1][2]["code"] for way in coupons} == {"C-1"}  # type: ignore[index]
    assert {way.sent[-1][2]["template"] for way in points} == {"upgrade-points"}  # type: ignore[index]
    assert {way.sent[1][2]["points"] for way in points} == {500}  # type: ignore[index]


def test_an_excellent_customer_is_also_called() -> None:
    way = walk("loyalty-upgrade", [user()], start=MONDAY, answers=[crm(950), COUPON])["u1"]
    assert way.sent[1] == ("crm", "/tasks", {"user": "u1", "kind": "call", "score": 950})
    assert way.outcome == ["offered"]


def test_a_loyalty_system_that_refuses_costs_the_gift_and_not_the_invitation() -> None:
    answers = [crm(700), "loyalty=401"]
    way = walk("loyalty-upgrade", [user()], start=MONDAY, answers=answers)["u1"]
    gift = "coupon" if "coupon" in way.status else "points"
    assert way.status[gift] == "failed"
    assert way.status["tell"] == "succeeded"
    assert way.sent[-1][2] == {
        "to": "u1@example.com",
        "template": "upgrade",
        "name": "there",
        "code": None,
    }
    assert way.outcome == ["offered"]


def test_a_crm_that_stays_down_is_asked_four_times_and_the_customer_leaves_unscored() -> None:
    way = walk("loyalty-upgrade", [user()], start=MONDAY, answers=["crm=503"])["u1"]
    assert way.attempts["score"] == 4
    assert way.status == {"score": "failed", "worth": "succeeded", "no_score": "succeeded"}
    assert way.outcome == ["unscored"]


# --- renewal -----------------------------------------------------------------------------------


def test_the_reminder_comes_at_nine_on_the_clock_of_each_customer() -> None:
    # A week before 2 April Europe has summer time already; in March, when it began, it hadn't.
    zones = {
        "America/New_York": "2027-03-26T09:00-04:00",
        "America/Sao_Paulo": "2027-03-26T09:00-03:00",
        "Europe/Berlin": "2027-03-26T09:00+01:00",
        "Asia/Kolkata": "2027-03-26T09:00+05:30",
        "Australia/Adelaide": "2027-03-26T09:00+10:30",
        "Pacific/Auckland": "2027-03-26T09:00+13:00",
    }
    customers = [user(zone, zone, contract_ends="2027-04-02") for zone in zones]
    ways = walk("renewal", customers, start=MONDAY, answers=['loyalty=200:{"points": 10}'])
    assert {name: way.waited_until["week_before"] for name, way in ways.items()} == zones
    # Europe's clocks change on 28 March, between the two reminders.
    assert ways["Europe/Berlin"].waited_until["evening_before"] == "2027-04-01T18:00+02:00"
    assert {way.outcome[0] for way in ways.values()} == {"reminded"}


def test_without_a_zone_of_his_own_a_customer_lives_by_the_journeys() -> None:
    ways = walk("renewal", [user(contract_ends="2027-07-09")], start=MONDAY)
    assert ways["u1"].waited_until["week_before"] == "2027-07-02T09:00+02:00"


def test_who_has_no_date_is_refused_at_the_door() -> None:
    way = walk("renewal", [user()], start=MONDAY)["u1"]
    assert way.outcome == ["no_input"]
    assert (way.steps, way.sent) == ([], [])


def test_who_comes_too_late_leaves_and_the_crm_hears_of_it() -> None:
    way = walk("renewal", [user(contract_ends="2027-02-20")], start=MONDAY)["u1"]
    assert way.outcome == ["missed:evening_before"]
    text = "renewal: missed:evening_before"
    assert way.sent == [("crm", "/tasks", {"user": "u1", "kind": "note", "text": text})]


def test_who_comes_in_the_last_week_is_reminded_on_the_evening_before_only() -> None:
    way = walk("renewal", [user(zone="UTC", contract_ends="2027-03-04")], start=MONDAY)["u1"]
    assert "remind" not in way.status
    assert way.waited_until == {"evening_before": "2027-03-03T18:00+00:00"}
    assert way.sent[0][2] == {"to": "u1@example.com", "template": "renewal-last-day"}


def test_who_renews_by_himself_is_left_in_peace() -> None:
    customer = user(contract_ends="2027-04-02", auto_renew=True)
    way = walk("renewal", [customer], start=MONDAY)["u1"]
    assert way.outcome == ["automatic"]
    assert [step for step, _ in way.steps if step in ("remind", "last_word")] == []


def test_a_balance_that_comes_at_the_third_attempt_is_in_the_reminder() -> None:
    answers = ["loyalty=503", "loyalty=503", 'loyalty=200:{"points": 700}']
    customer = user(contract_ends="2027-04-02")
    way = walk("renewal", [customer], start=MONDAY, answers=answers)["u1"]
    assert way.attempts["balance"] == 3
    assert way.sent[1][2] == {
        "to": "u1@example.com",
        "template": "renewal-week",
        "ends": "2027-04-02",
        "points": 700,
    }


def test_a_loyalty_system_that_stays_down_for_half_an_hour_costs_only_a_sentence() -> None:
    customer = user(contract_ends="2027-04-02")
    way = walk("renewal", [customer], start=MONDAY, answers=["loyalty=503"])["u1"]
    assert way.status["balance"] == "failed"
    assert way.sent[1][2]["points"] is None  # type: ignore[index]
    assert way.outcome == ["reminded"]


def test_a_customer_worth_a_call_is_called_twice_at_most() -> None:
    customer = user(zone="UTC", contract_ends="2027-04-02")
    answers = ['loyalty=200:{"points": 900}']
    way = walk("renewal", [customer], start=MONDAY, answers=answers)["u1"]
    calls = [body for _, _, body in way.sent if isinstance(body, dict) and "attempt" in body]
    assert [body["attempt"] for body in calls] == [1, 2]
    assert way.steps.count(("next_morning", "succeeded")) == 2
    assert way.waited_until["next_morning"] == "2027-04-03T09:30+00:00"


def test_all_sample_customers_come_to_the_end_of_every_sample() -> None:
    answers = {
        "welcome": [],
        "loyalty-upgrade": [crm(600), COUPON],
        "renewal": ['loyalty=200:{"points": 600}'],
    }
    for name in NAMES:
        ways = walk(name, sample_users(), start="2027-01-01T00:00+00:00", answers=answers[name])
        assert len(ways) == 40
        assert all(len(way.outcome) == 1 for way in ways.values())
        failed = [step for way in ways.values() for step, status in way.steps if status == "failed"]
        assert failed == []
