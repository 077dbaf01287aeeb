"""What the demo claims, each held against what the partners themselves counted and logged."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

SECOND = 1_000_000
Log = list[dict[str, Any]]


@dataclass(frozen=True)
class Claim:
    """A sentence, and whether it is true."""

    holds: bool
    text: str


@dataclass(frozen=True)
class Leaks:
    """How many secrets were looked for, in how many bytes of which places, and where one stood."""

    secrets: int = 0
    size: int = 0
    places: tuple[str, ...] = ()
    found: tuple[str, ...] = ()

    @classmethod
    def look(cls, written: Mapping[str, bytes], secrets: Iterable[str]) -> Leaks:
        """Look for ``secrets`` in what was written: as they are, and as requests encode them."""
        secrets = sorted(secrets)
        forms = {form for secret in secrets for form in _forms(secret)}
        found = [name for name, text in written.items() if any(form in text for form in forms)]
        size = sum(map(len, written.values()))
        return cls(len(secrets), size, tuple(sorted(written)), tuple(found))


def _forms(secret: str) -> set[bytes]:
    plain = secret.encode()
    forms = {plain, quote(secret, safe="").encode(), plain.hex().encode()}
    for before in (b"", b"bot:", b"crm-client:"):
        # Base64 of a text that something stands before: all that doesn't depend on what follows.
        forms.add(base64.b64encode(before + plain).rstrip(b"=")[:-1])
    return forms


@dataclass
class Evidence:
    """What was seen: the run's own account, the partners' logs and counts, and when what happened
    (microseconds UTC)."""

    customers: int
    token_life_s: int
    table: str = ""
    took: float = 0.0
    summary: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, Log] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    counts_after: dict[str, dict[str, int]] = field(default_factory=dict)
    new_secret: str = field(default="", repr=False)
    rotated_at: int = 0
    revoked_at: int = 0
    broken_at: int = 0
    repaired_at: int = 0
    failed_calls: int = 0
    redriven: dict[str, int] = field(default_factory=dict)
    log_redriven: Log = field(default_factory=list)
    leaks_before: Leaks = Leaks()
    leaks: Leaks = Leaks()

    def step(self, name: str, what: str) -> int:
        """A step's count in the summary."""
        return int(self.summary["steps"][name][what])

    def count(self, partner: str, what: str) -> int:
        """A partner's counter when the run was over."""
        return self.counts[partner].get(what, 0)


def claims(seen: Evidence) -> Iterator[Claim]:
    """Every claim, in the order of the story."""
    yield from _everybody(seen)
    yield from _requests(seen)
    yield from _tokens(seen)
    yield from _rotation(seen)
    yield from _broken(seen)
    yield from _again(seen)
    yield _redriven(seen)
    yield _silence(seen)


def _everybody(seen: Evidence) -> Iterator[Claim]:
    told = re.search(r"failed [\d,]+, went on [\d,]+, stuck ([\d,]+)", seen.table)
    finished, waiting = seen.summary["finished"], seen.summary["waiting"]
    stuck = told[1] if told else "?"
    yield Claim(
        finished == seen.customers and waiting == 0 and stuck == "0",
        f"{seen.customers:,} customers entered, {finished:,} finished, {waiting} wait,"
        f" {stuck} stuck; {seen.took:.1f} s",
    )
    offered, messages = seen.summary["outcomes"].get("offered"), seen.count("messenger", "messages")
    keys = {each["headers"].get("idempotency-key") for each in seen.logs["messenger"]}
    yield Claim(
        offered == messages == len(keys) == len(_addressees(seen.logs["messenger"])),
        f"{offered:,} were to get an invitation; the messenger sent {messages:,}, to"
        f" {len(_addressees(seen.logs['messenger'])):,} different customers",
    )


def _addressees(log: Log) -> set[str]:
    return {match[1] for each in log if (match := re.search(r'"to":\s*"([^"]*)"', each["body"]))}


def _requests(seen: Evidence) -> Iterator[Claim]:
    for name in ("crm", "loyalty", "messenger"):
        tally, requests = seen.summary["endpoints"][name], seen.count(name, "requests")
        yield Claim(
            requests == tally["attempts"],
            f"{name}: {requests:,} requests seen there, {tally['attempts']:,} attempts in our"
            f" summary ({tally['calls']:,} calls)",
        )


def _tokens(seen: Evidence) -> Iterator[Claim]:
    said = seen.summary["tokens"]["crm-oauth"]["requests"]
    requests, expired = seen.count("oauth", "token.requests"), seen.count("crm", "401.expired")
    # One to begin, one for the new secret, one for the revoked tokens; the rest are renewals.
    renewals = requests - 3
    longest = int(seen.took // (seen.token_life_s * 0.7))
    yield Claim(
        said == requests and expired == 0 and 0 <= renewals <= longest,
        f"{requests} token requests, {renewals} of them to renew a token of {seen.token_life_s} s"
        f" before its end; none of {seen.count('crm', 'requests'):,} CRM calls had an expired one",
    )


def _rotation(seen: Evidence) -> Iterator[Claim]:
    after = [each for each in seen.logs["crm"] if each["at"] > seen.rotated_at]
    accepted = [each for each in after if each["status"] < 300]
    carried = sum(each["credential"] == seen.new_secret for each in accepted)
    version = seen.summary["version"]
    yield Claim(
        carried == len(accepted) > 0 and version == 1,
        f"client secret rotated: all {carried:,} CRM calls accepted after the command returned"
        f" carried the new one; the journey is still version {version}",
    )
    revoked = seen.count("crm", "401.revoked")
    asked = _between(seen.logs["oauth"], seen.revoked_at, seen.revoked_at + 2 * SECOND)
    failed = sum(seen.step(step, "failed") for step in ("score", "task"))
    yield Claim(
        revoked > 0 and len(asked) == 1 and failed == 0 and _sent_again(seen),
        f"tokens revoked: 401 for {revoked}, {len(asked)} new token, 200 for all {revoked};"
        f" {failed} CRM calls failed",
    )


def _sent_again(seen: Evidence) -> bool:
    """Whether every call that met a revoked token was answered well in the end."""
    refused = [each for each in seen.logs["crm"] if each["status"] == 401]
    return _keys(refused) <= _keys(seen.logs["crm"], below=300)


def _keys(log: Log, below: int = 600) -> set[str]:
    """The idempotency keys of requests that were answered with a status below that."""
    return {str(each["headers"].get("idempotency-key")) for each in log if each["status"] < below}


def _between(log: Log, start: int, end: int) -> Log:
    return [each for each in log if start <= each["at"] <= end]


def _broken(seen: Evidence) -> Iterator[Claim]:
    refused = [each for each in seen.logs["loyalty"] if each["status"] == 401]
    failed = sum(seen.step(step, "failed") for step in ("coupon", "points"))
    everywhere = sum(step["failed"] for step in seen.summary["steps"].values())
    told = re.search(r"failed ([\d,]+), went on ([\d,]+), stuck", seen.table)
    on = int(told[2].replace(",", "")) if told else -1
    # Who was refused in the very moment of the repair is sent once more, with the new password.
    saved = len(_keys(refused) & _keys(seen.logs["loyalty"], below=300))
    rejected = "credential.rejected" in seen.table
    yield Claim(
        len(refused) == failed + saved and failed == on == everywhere > 0 and rejected,
        f"loyalty password wrong: {len(refused):,} refused there; here failed {failed:,}"
        f" (credential.rejected), went on {on:,}, stuck 0"
        + (f"; {saved} were sent again with the new one" if saved else ""),
    )
    while_broken = _between(refused, seen.broken_at, seen.repaired_at)
    lasted = (seen.repaired_at - seen.broken_at) / SECOND
    later = sum(each["at"] > seen.repaired_at for each in seen.logs["loyalty"])
    yield Claim(
        len(while_broken) == len(refused) and later > 0,
        f"all {len(while_broken):,} of them in the {lasted:.1f} s from the change to the end of the"
        f" command that repaired it; the {later:,} gifts after it were given",
    )
    plain = sum(bool(re.search(r'"upgrade"', each["body"])) for each in seen.logs["messenger"])
    yield Claim(
        plain == failed,
        f"{plain:,} invitations went out without a gift: one for each that failed",
    )


def _again(seen: Evidence) -> Iterator[Claim]:
    refused = seen.summary["refused"]
    same = {
        name: seen.counts[name].get("requests") == counts.get("requests")
        for name, counts in seen.counts_after.items()
    }
    yield Claim(
        seen.summary["entered"] == 0 and refused == seen.customers and all(same.values()),
        f"the same command again: entered 0, refused {refused:,}, not one request",
    )


def _redriven(seen: Evidence) -> Claim:
    log = seen.logs["loyalty"]
    failed = _keys([each for each in log if each["status"] == 401]) - _keys(log, below=300)
    requests = seen.redriven["requests"]
    given = seen.redriven.get("coupons", 0) + seen.redriven.get("points", 0)
    same = _keys(seen.log_redriven, below=300) == failed
    return Claim(
        same and seen.failed_calls == len(failed) == requests == given > 0,
        f"sent again: {seen.failed_calls:,} failed calls were counted first, then {requests:,}"
        f" requests seen there and {given:,} gifts given, each with the key it was refused with",
    )


def _silence(seen: Evidence) -> Claim:
    both = (seen.leaks_before, seen.leaks)
    found = sorted({name for leaks in both for name in leaks.found})
    places = sorted({name for leaks in both for name in leaks.places})
    where = f"found in {', '.join(found)}!" if found else "in none of them"
    return Claim(
        not found and any("wal" in place for place in places) and seen.leaks.secrets > 5,
        f"{seen.leaks.secrets} secrets and tokens looked for in {', '.join(places)}"
        f" ({seen.leaks.size / 1e6:.0f} MB): {where}",
    )
