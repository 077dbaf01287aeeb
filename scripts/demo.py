"""A customer journey, live, on this machine: what the README promises, done and checked.

Real HTTP servers play the partners; they demand their authentication and count what they get.
Everything happens in a temporary folder. Nothing but loopback is dialled.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.demo_claims import Claim, Evidence, Leaks, claims
from scripts.demo_console import doors, knock, show
from scripts.demo_screen import Screen
from scripts.demo_simulation import simulate
from scripts.demo_workshop import DemoError, Secrets, Workshop, furnish, invite
from tests.partners import Remote, spawned

TOKEN_LIFE_S = 8
CUSTOMERS_PER_SECOND = 345
"""So many come through where the CRM takes 400 calls a second (endpoints.yaml) and one customer in
ten costs it two."""
LONGEST_S = 180
SLOWEST_S = 30


class Story:
    """What happens to the partners while the customers are on their way, each at its time."""

    def __init__(
        self, workshop: Workshop, partners: Mapping[str, Remote], known: Secrets, customers: int
    ) -> None:
        self._workshop = workshop
        self._screen = workshop.screen
        self._partners = partners
        self._known = known
        self._evidence = Evidence(customers, TOKEN_LIFE_S, new_secret=known.new_crm)
        self._chapters = [
            (0.15, self._rotate),
            (0.40, self._revoke),
            (0.55, self._break),
        ]

    def tell(self) -> Evidence:
        """Take the customers through; what was seen."""
        command = ("run-journey", "journeys/loyalty-upgrade.yaml", "--users", "customers.csv")
        began = time.monotonic()
        with self._workshop.running(*command, "--live", name="run", progress=True) as process:
            while process.poll() is None:
                if time.monotonic() > began + LONGEST_S:
                    raise DemoError(f"the run isn't over after {LONGEST_S} seconds")
                self._go_on()
                time.sleep(0.02)
        if process.returncode != 0:
            self._screen.output((self._workshop.folder / "run.err").read_text())
            raise DemoError(f"run-journey ended with exit code {process.returncode}")
        self._evidence.took = time.monotonic() - began
        self._evidence.table = (self._workshop.folder / "run.out").read_text(encoding="utf-8")
        self._screen.output("\n" + self._evidence.table)
        self._look()
        return self._evidence

    def _go_on(self) -> None:
        scored = self._partners["crm"].counts.get("score", 0)
        if self._chapters and scored >= self._chapters[0][0] * self._evidence.customers:
            share, chapter = self._chapters.pop(0)
            self._screen.interruption()
            self._screen.note(f"{share:.0%} of the customers are scored.")
            chapter()

    def _rotate(self) -> None:
        self._screen.note(
            "The CRM's people hand out a new client secret; for a moment both are good."
        )
        new = self._known.new_crm
        self._partners["oauth"].change(rotate={"secret": new, "overlap": True})
        self._command_rotation("crm-oauth", "CRM_SECRET", new)
        self._evidence.rotated_at = _now()
        self._evidence.leaks_before = self._leaks()

    def _revoke(self) -> None:
        self._screen.note(
            "The old secret is withdrawn, every access token revoked. Nobody here does anything."
        )
        self._evidence.revoked_at = _now()
        self._partners["oauth"].change(secrets=[self._known.new_crm], revoke=True)

    def _break(self) -> None:
        self._screen.note("The loyalty system's password is changed, and nobody told us.")
        new, loyalty = self._known.new_loyalty, self._partners["loyalty"]
        self._evidence.broken_at = _now()
        loyalty.change(passwords={"bot": new})
        until = time.monotonic() + 10
        while loyalty.counts.get("401.wrong_password", 0) < 100 and time.monotonic() < until:
            time.sleep(0.02)
        refused = loyalty.counts.get("401.wrong_password", 0)
        self._screen.note(f"{refused} coupons refused so far; the customers go on. Then:")
        self._command_rotation("loyalty-basic", "LOYALTY_PASSWORD", new)
        self._evidence.repaired_at = _now()

    def _command_rotation(self, profile: str, variable: str, value: str) -> None:
        command = ("journey", "auth", "rotate", profile, "--from-env", variable)
        self._workshop.run(*command, variables={variable: value})

    def _look(self) -> None:
        """What the partners saw, the same command again, the old file again, failed calls again."""
        evidence, partners = self._evidence, self._partners
        evidence.logs = {name: remote.last(10_000_000) for name, remote in partners.items()}
        evidence.counts = {name: remote.counts for name, remote in partners.items()}
        self._screen.note("The same command again, for programs: nobody goes twice.")
        again = self._workshop.quietly(
            "run-journey", "journeys/loyalty-upgrade.yaml", "--users", "customers.csv", "--live",
            "--json",
        )  # fmt: skip
        evidence.summary = json.loads(again.splitlines()[-1])
        self._screen.command(
            "run-journey", "journeys/loyalty-upgrade.yaml", "--users", "customers.csv", "--live",
            "--json",
        )  # fmt: skip
        self._screen.output(_abridged(evidence.summary))
        self._screen.note("The old file again, with the old secrets in the environment.")
        self._workshop.run(
            "journey", "apply", "journeys/endpoints.yaml", variables=self._known.variables()
        )
        evidence.counts_after = {name: remote.counts for name, remote in partners.items()}
        self._redrive()
        evidence.leaks = self._leaks()

    def _redrive(self) -> None:
        """Send what failed while the password was wrong once more: counted first, then done."""
        evidence, command = self._evidence, ("journey", "calls", "redrive", "--endpoint", "loyalty")
        self._screen.note("The gifts that failed while the password was wrong, once more.")
        evidence.failed_calls = _first_number(self._workshop.run(*command))
        before = self._partners["loyalty"].counts
        self._workshop.run(*command, "--yes")
        after = self._partners["loyalty"].counts
        evidence.redriven = {name: n - before.get(name, 0) for name, n in after.items()}
        evidence.log_redriven = self._partners["loyalty"].last(evidence.redriven["requests"])

    def _leaks(self) -> Leaks:
        """Every secret there was, as it was sent, looked for in all that the engine wrote."""
        home = self._workshop.folder / "home"
        files = [path for path in home.rglob("*") if path.is_file() and path.name != "kek"]
        written = {path.name: path.read_bytes() for path in files}
        written["output"] = "".join(self._workshop.said).encode()
        crm = self._evidence.logs.get("crm") or self._partners["crm"].last(10_000_000)
        tokens = {str(seen["headers"].get("authorization", "")) for seen in crm}
        known = vars(self._known).values()
        return Leaks.look(written, {*known, *(each.partition(" ")[2] for each in tokens)} - {""})


def _now() -> int:
    """Microseconds UTC, as the partners' logs have them."""
    return time.time_ns() // 1000


def _first_number(text: str) -> int:
    """``1,200`` of ``1,200 calls failed ...``; 0 where none is said."""
    first = text.partition(" ")[0].replace(",", "")
    return int(first) if first.isdecimal() else 0


def _abridged(summary: dict[str, Any]) -> str:
    kept = {name: summary.get(name) for name in ("type", "journey", "version", "entered")}
    return json.dumps(kept | {"refused": summary.get("refused")})[:-1] + ", ...}"


def demonstrate(options: argparse.Namespace, folder: Path, screen: Screen) -> bool:
    """The whole demo; whether every claim held. It stays in the console unless told otherwise."""
    began = time.monotonic()
    known = Secrets()
    settings: dict[str, dict[str, object]] = {
        "oauth": {"secrets": [known.crm], "life": TOKEN_LIFE_S},
        "loyalty": {"passwords": {"bot": known.loyalty}},
        "messenger": {"keys": {"X-Api-Key": known.messenger}},
    }
    with spawned("oauth", "crm", "loyalty", "messenger", **settings) as partners:
        _introduce(partners, screen)
        furnish(folder, partners)
        workshop = Workshop(folder, screen)
        evidence = _live(workshop, partners, known, options.seconds)
        screen.heading("What we say against what the partners counted")
        held = [_ticked(screen, claims(evidence))]
        screen.heading("Ninety days in a few seconds, simulated")
        simulated = list(simulate(workshop, options.report))
        screen.note(f"The report is {options.report}: open it in a browser. Counted once more:")
        held.append(_ticked(screen, simulated))
        screen.heading("An event over HTTP, by an API token")
        with doors(workshop) as open_doors:
            held.append(_ticked(screen, knock(workshop, partners, open_doors)))
            screen.end(all(held), time.monotonic() - began)
            if not options.no_serve:
                show(workshop, open_doors)
    return all(held)


def _introduce(partners: Mapping[str, Remote], screen: Screen) -> None:
    screen.heading("Four partners, on this machine")
    screen.note("Real HTTP servers that demand their authentication and count what they get.")
    screen.facts(
        ("authorization server", f"{partners['oauth'].url}  tokens live {TOKEN_LIFE_S} s"),
        ("crm", f"{partners['crm'].url}  OAuth 2.0"),
        ("loyalty", f"{partners['loyalty'].url}  user and password"),
        ("messenger", f"{partners['messenger'].url}  API key"),
    )


def _live(
    workshop: Workshop, partners: Mapping[str, Remote], known: Secrets, seconds: float
) -> Evidence:
    """Take customers through for so many seconds, or longer; what was seen."""
    screen = workshop.screen
    screen.heading("Endpoints and what they authenticate with, from a file without secrets")
    began = time.monotonic()
    workshop.run("journey", "apply", "journeys/endpoints.yaml", variables=known.variables())
    # Two commands are given while customers are on their way: slow machines need more of them, but
    # no more than they take through in time.
    seconds = max(seconds, min(SLOWEST_S, 4 + 8 * (time.monotonic() - began)))
    customers = int(seconds * CUSTOMERS_PER_SECOND)
    invite(workshop.folder, customers)
    screen.heading(f"{customers:,} customers, live")
    return Story(workshop, partners, known, customers).tell()


def _ticked(screen: Screen, said: Iterable[Claim]) -> bool:
    """Show claims as they are made; whether all of them hold."""
    holds = []
    for claim in said:
        screen.claim(claim.holds, claim.text)
        holds.append(claim.holds)
    return all(holds)


def main() -> int:
    """Run it; 0 if every claim held."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="how long customers keep coming")
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("demo-report.html"),
        help="where the report of the simulations is written (default: demo-report.html)",
    )
    parser.add_argument("--keep", action="store_true", help="keep the folder, to look around")
    parser.add_argument(
        "--no-serve",
        action="store_true",
        help="end when everything is shown, rather than stay in the console until Ctrl-C",
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    screen = Screen()
    folder = Path(tempfile.mkdtemp(prefix="journey-demo-"))
    try:
        held = demonstrate(options, folder, screen)
    except (DemoError, OSError, subprocess.TimeoutExpired) as error:
        screen.claim(False, str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if options.keep:
        screen.note(f"Everything is in {folder}; JOURNEY_HOME is {folder / 'home'}.")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
