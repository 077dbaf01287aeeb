"""Ninety days of a made-up shop, simulated: two journeys that live on events, and their report.

The same customers and events come out each time, so what should become of them is counted here as
well, in plain Python and without the engine.
"""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from scripts.demo_claims import Claim
from scripts.demo_workshop import ROOT, DemoError, Workshop

START = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 90
END = START + timedelta(days=DAYS)
CUSTOMERS = 2_500
JOURNEYS = {
    "cart-rescue": ('crm=200:{"score": 820}', 'loyalty=201:{"code": "C-10"}'),
    "win-back": ('loyalty=201:{"code": "C-10"}',),
}
"""The journeys, and what endpoints answer there."""
SMALLEST_CART = 50
ZONES = ("Europe/Istanbul", "Europe/Berlin", "Europe/London", "America/New_York", "Asia/Tokyo")


@dataclass
class Customer:
    """One customer of the shop, and what he does in these days."""

    id: str
    timezone: str
    cart: tuple[datetime, float] | None = None
    bought_cart: datetime | None = None
    clicked: datetime | None = None
    unsubscribed: datetime | None = None
    orders: list[datetime] = field(default_factory=list)

    @property
    def cart_counts(self) -> bool:
        """Whether the cart is one that the journey is about."""
        return self.cart is not None and self.cart[1] >= SMALLEST_CART

    def events(self) -> Iterator[tuple[datetime, str, dict[str, object]]]:
        """Time, name and properties; a change of attributes has no name."""
        cart_id = f"cart_{self.id}"
        if self.cart is not None:
            at, total = self.cart
            yield at, "cart_updated", {"cart_id": cart_id, "total": total}
        if self.clicked is not None:
            yield self.clicked, "cart_mail_clicked", {"cart_id": cart_id}
        for at in self.orders:
            yield at, "order_placed", {"cart_id": cart_id if at == self.bought_cart else None}
        if self.unsubscribed is not None:
            yield self.unsubscribed, "", {"unsubscribed": True}


def customers() -> list[Customer]:
    """Everybody, the same each time."""
    lots = random.Random(20260601)
    return [_customer(number, lots) for number in range(CUSTOMERS)]


def _customer(number: int, lots: random.Random) -> Customer:
    def within(days: float) -> timedelta:
        return timedelta(seconds=lots.randrange(int(days * 86_400)))

    one = Customer(f"shop_{number + 1:05}", lots.choice(ZONES))
    if lots.random() < 0.6:
        at = START + within(89)
        one.cart = at, round(lots.lognormvariate(4.2, 0.7), 2)
        if lots.random() < 0.35:
            one.bought_cart = at + within(lots.choice((0.02, 2, 10, 25)))
            one.orders.append(one.bought_cart)
        if lots.random() < 0.2:
            one.clicked = at + within(5)
    if lots.random() < 0.7:
        at = START + within(30)
        while at < END and len(one.orders) < 12:
            one.orders.append(at)
            at += timedelta(days=lots.choice((7, 25, 50, 63, 72, 80))) + within(6)
    if lots.random() < 0.05:
        one.unsubscribed = START + within(DAYS)
    one.orders = sorted(at for at in one.orders if at <= END)
    return one


def write_shop(folder: Path, everybody: Iterable[Customer]) -> int:
    """Write shop.csv and shop-events.jsonl; how many events there are."""
    count = 0
    with (
        (folder / "shop.csv").open("w", encoding="utf-8", newline="") as users,
        (folder / "shop-events.jsonl").open("w", encoding="utf-8") as events,
    ):
        writer = csv.writer(users)
        writer.writerow(["id", "email", "timezone"])
        for one in everybody:
            writer.writerow([one.id, f"{one.id}@example.com", one.timezone])
            for at, name, values in one.events():
                kind = {"event": name, "properties": values} if name else {"attributes": values}
                line = {"user": one.id, "at": at.isoformat(), **kind}
                events.write(json.dumps(line) + "\n")
                count += 1
    for journey in JOURNEYS:
        shutil.copy(ROOT / "journeys" / f"{journey}.yaml", folder / "journeys")
    return count


def simulate(workshop: Workshop, report: Path) -> Iterator[Claim]:
    """Simulate both journeys, write the report, and hold both against plain Python."""
    everybody, screen = customers(), workshop.screen
    count = write_shop(workshop.folder, everybody)
    screen.note(
        f"{len(everybody):,} customers of a made-up shop and {count:,} events of theirs: carts,"
        " clicks, orders. Nothing is sent; the clock is virtual."
    )
    told = {journey: _simulated(workshop, journey) for journey in JOURNEYS}
    pages = [(workshop.folder / f"{name}.html").read_text(encoding="utf-8") for name in JOURNEYS]
    whole = joined(pages, f"{DAYS} days of a shop, simulated")
    report.write_text(whole, encoding="utf-8")
    yield from _carts(everybody, told["cart-rescue"])
    yield from _orders(everybody, told["win-back"])
    loads = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", whole)
    yield Claim(
        whole.count("<svg") >= len(JOURNEYS) and not loads,
        f"{report.name}: both journeys with their counts, {len(whole) / 1000:.0f} KB in one file"
        " that loads nothing",
    )


def _simulated(workshop: Workshop, journey: str) -> list[dict[str, Any]]:
    """What a simulation tells, line by line; its table is shown."""
    command = (
        *("run-journey", f"journeys/{journey}.yaml", "--users", "shop.csv"),
        *("--events", "shop-events.jsonl", "--now", START.isoformat(), "--for", f"P{DAYS}D"),
        *(word for answer in JOURNEYS[journey] for word in ("--answer", answer)),
    )
    workshop.run(*command, "--html", f"{journey}.html", "--quiet")
    lines = workshop.quietly(*command, "--json", "--quiet").splitlines()
    told = [json.loads(line) for line in lines]
    if not told or told[-1].get("type") != "summary":
        raise DemoError(f"{journey}: no summary")
    return told


def joined(pages: Iterable[str], title: str) -> str:
    """Several reports as one page."""
    first, *others = pages
    mains = [_main_of(page) for page in others]
    head = re.sub(r"<title>.*?</title>", f"<title>{title}</title>", first, count=1)
    return head.replace("</body>", "\n".join([*mains, "</body>"]), 1)


def _main_of(page: str) -> str:
    found = re.search(r"<main>.*</main>", page, re.DOTALL)
    if found is None:
        raise DemoError("a report has no content")
    return found[0]


# --- what should become of them, counted without the engine -----------------------------------


def _carts(everybody: list[Customer], told: list[dict[str, Any]]) -> Iterator[Claim]:
    summary = told[-1]
    entered = [one for one in everybody if one.cart_counts]
    yield Claim(
        summary["entered"] == len(entered) and summary["refused"] == 0,
        f"cart-rescue: {len(entered):,} customers left a cart of {SMALLEST_CART} EUR or more, and"
        f" {summary['entered']:,} entered",
    )
    bought = sum(_bought_in_time(one) for one in entered)
    goal = summary["goals"]["purchased"]
    yield Claim(
        goal["met"] + goal["held_out"] == bought,
        f"{bought:,} bought it within two weeks; counted {goal['met']:,} of those on the way and"
        f" {goal['held_out']:,} of the {summary['outcomes'].get('held_out', 0):,} held out",
    )
    known, sent, late, at_nine = {one.id: one for one in everybody}, 0, 0, 0
    for line in told[:-1]:
        if line.get("step") in ("remind", "offer") and line["status"] == "succeeded":
            reader, at = known[line["user"]], datetime.fromisoformat(line["at"])
            local = at.astimezone(ZoneInfo(reader.timezone))
            sent += 1
            at_nine += local.hour == 9 and local.minute == 0 and local.weekday() < 5
            late += _is_over(reader, at)
    yield Claim(
        late == 0 < sent == at_nine,
        f"{sent:,} reminders, {at_nine:,} of them at nine on a weekday where the reader lives;"
        f" {late} to somebody who had bought or unsubscribed by then",
    )


def _bought_in_time(one: Customer) -> bool:
    if one.cart is None or one.bought_cart is None:
        return False
    return one.bought_cart <= min(one.cart[0] + timedelta(days=14), END)


def _is_over(one: Customer, at: datetime) -> bool:
    moments = (one.bought_cart, one.unsubscribed)
    return any(moment is not None and moment < at for moment in moments)


def _orders(everybody: list[Customer], told: list[dict[str, Any]]) -> Iterator[Claim]:
    summary = told[-1]
    expected: dict[str, int] = {}
    for one in everybody:
        for outcome in _outcomes(one.orders):
            expected[outcome] = expected.get(outcome, 0) + 1
    waiting = expected.pop("", 0)
    words = ", ".join(f"{n:,} {name}" for name, n in sorted(_counts(summary).items()))
    yield Claim(
        _counts(summary) == expected and summary["waiting"] == waiting,
        f"win-back: {words} and {waiting:,} still on their way, as the orders' dates say",
    )
    silent = sum(_silences(one.orders, 60) for one in everybody)
    coupons = sum(_silences(one.orders, 74) for one in everybody)
    steps = summary["steps"]
    sent = (steps["miss_you"]["succeeded"], steps["offer"]["succeeded"])
    yield Claim(
        sent == (silent, coupons),
        f"{silent:,} silences of two months and {sent[0]:,} letters; {coupons:,} of two weeks more"
        f" and {sent[1]:,} coupons",
    )


def _counts(summary: Mapping[str, Any]) -> dict[str, int]:
    return dict(summary["outcomes"])


def _outcomes(orders: list[datetime]) -> Iterator[str]:
    """How each passage ends: every order begins one, since the one before ended it."""
    for order, following in pairwise(orders):
        days = (following - order) / timedelta(days=1)
        yield "regular" if days <= 60 else "came_back" if days <= 74 else "came_back_by_coupon"
    if orders:
        yield ""


def _silences(orders: list[datetime], days: int) -> int:
    """How often so many days went by after an order and before the next."""
    silence = timedelta(days=days)
    return sum(following - order > silence for order, following in pairwise([*orders, END]))
