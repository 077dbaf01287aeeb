"""Four partners, each with another way to authenticate, and a journey that calls them in rounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.enrollments.ids import call_key
from tests.e2e.installation import Installation
from tests.partners import CRM, AuthorizationServer, Desk, Loyalty, Messenger, Request, running
from tests.partners.partner import Protected

OLD = {
    "crm-oauth": "old-client-secret-9d1f",
    "loyalty-basic": "old-password-4c77",
    "messenger-key": "old-api-key-b2e0",
    "desk-token": "old-bearer-token-63aa",
}
"""Profile → the secret that is applied first."""

NEW = {profile: secret.replace("old-", "new-") for profile, secret in OLD.items()}
"""Profile → the secret it is rotated to."""

PROFILE_OF = {
    "crm": "crm-oauth",
    "loyalty": "loyalty-basic",
    "messenger": "messenger-key",
    "desk": "desk-token",
}

APPLY = """\
auth_profiles:
  crm-oauth:
    kind: oauth2
    token_url: {oauth}/oauth/token
    client_id: crm-client
    client_secret: {{seal_from_env: CRM_SECRET}}
  loyalty-basic: {{kind: basic, username: bot, password: {{seal_from_env: LOYALTY_PASSWORD}}}}
  messenger-key:
    kind: api_key
    pairs: [{{name: X-Api-Key, value: {{seal_from_env: MESSENGER_KEY}}}}]
  desk-token: {{kind: bearer, token: {{seal_from_env: DESK_TOKEN}}}}
endpoints:
  crm: {{base_url: "{crm}", auth: crm-oauth}}
  loyalty: {{base_url: "{loyalty}", auth: loyalty-basic}}
  messenger: {{base_url: "{messenger}", auth: messenger-key}}
  desk: {{base_url: "{desk}", auth: desk-token}}
"""
VARIABLES = {
    "CRM_SECRET": OLD["crm-oauth"],
    "LOYALTY_PASSWORD": OLD["loyalty-basic"],
    "MESSENGER_KEY": OLD["messenger-key"],
    "DESK_TOKEN": OLD["desk-token"],
}
ROUND = (
    ("score", "crm", "/users/{{ user.id }}/score"),
    ("coupon", "loyalty", "/coupons"),
    ("message", "messenger", "/messages"),
    ("ticket", "desk", "/tickets"),
)


@dataclass
class Partners:
    """An installation that has the four endpoints, and the servers themselves."""

    here: Installation
    oauth: AuthorizationServer
    of: dict[str, Protected]

    def requests(self) -> int:
        """How many requests all partners had so far."""
        return sum(len(service.log) for service in self.of.values())

    def change(self, **settings: object) -> None:
        """Change a setting of all four."""
        for service in self.of.values():
            service.change(**settings)

    def logs(self) -> Iterator[tuple[str, Request]]:
        """Every request to every service, with the endpoint's name."""
        for endpoint, service in self.of.items():
            for request in service.log:
                yield endpoint, request


@contextmanager
def four_partners(folder: Path) -> Iterator[Partners]:
    """Serve them; they accept the old secret and the new one (the overlap of a rotation)."""
    oauth = AuthorizationServer(secrets={OLD["crm-oauth"], NEW["crm-oauth"]})
    of: dict[str, Protected] = {
        "crm": CRM(oauth.book),
        "loyalty": Loyalty({"bot": [OLD["loyalty-basic"], NEW["loyalty-basic"]]}),
        "messenger": Messenger({"X-Api-Key": [OLD["messenger-key"], NEW["messenger-key"]]}),
        "desk": Desk({OLD["desk-token"], NEW["desk-token"]}),
    }
    with ExitStack() as stack:
        for server in (oauth, *of.values()):
            stack.enter_context(running(server))
        here = Installation(folder, dict(VARIABLES))
        urls = {name: service.url for name, service in of.items()}
        here.write("apply.yaml", APPLY.format(oauth=oauth.url, **urls))
        here.run("journey", "apply", "apply.yaml")
        yield Partners(here, oauth, of)


def write_journey(here: Installation, *, rounds: int, users: int) -> tuple[str, ...]:
    """A journey of so many rounds over the partners; the command that takes users through it."""
    lines = ["dsl: 1", "journey: rounds", "steps:"]
    for number in range(1, rounds + 1):
        for step, endpoint, path in ROUND:
            lines.append(
                f"  - {{id: {step}_{number}, type: call_api, endpoint: {endpoint},"
                f' path: "{path}", body: {{user: "{{{{ user.id }}}}"}}}}'
            )
    here.write("journey.yaml", "\n".join(lines) + "\n")
    here.write("users.csv", "id\n" + "".join(f"u{n}\n" for n in range(users)))
    return ("run-journey", "journey.yaml", "--users", "users.csv", "--live", "--json")


@dataclass(frozen=True)
class Execution:
    """One step taken, as the database has it."""

    step: str
    status: int
    failure: str | None
    credential_version: int | None


def executions_by_key(here: Installation, steps: list[str]) -> dict[str, Execution]:
    """Every execution under the idempotency key of its call. ``steps`` are in the file's order."""
    ((installation,),) = here.query("SELECT key FROM installation")
    rows = here.query(
        "SELECT enrollment, step, visit, status, failure, credential_version FROM executions"
    )
    return {
        call_key(installation, enrollment, steps[number], visit): Execution(
            steps[number], status, failure, version
        )
        for enrollment, number, visit, status, failure, version in rows
    }


def steps_of(rounds: int) -> list[str]:
    """The steps of :func:`write_journey`, in order."""
    return [f"{step}_{number}" for number in range(1, rounds + 1) for step, _, _ in ROUND]
