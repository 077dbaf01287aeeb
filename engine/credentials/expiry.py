"""When a secret ends: said by the service that gave it, kept beside the profile, told in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from engine.core.expressions.durations import SECOND
from engine.credentials.references import FromFile
from engine.credentials.wording import CLIENT_CERTIFICATE
from engine.errors import CredentialFailure
from engine.wire.certificates import ends_on

if TYPE_CHECKING:
    from engine.credentials.references import References
    from engine.credentials.store.profiles import StoredProfile

EXPIRY = "secret_expires"
"""The profile's field, a date: from its first moment in UTC on the secret isn't counted on."""

CERTIFICATE = "client certificate"
SOON_DAYS = 30


@dataclass(frozen=True, slots=True)
class Ending:
    """What to tell about a profile's secret, or what else ``of`` it: ``text`` in a few words."""

    state: Literal["ok", "odd", "wrong"]
    text: str
    of: str = "secret"

    def __str__(self) -> str:
        return self.text if self.of == "secret" else f"{self.of} {self.text}"


def read_date(written: object) -> str | None:
    """A date as in ``2027-03-31``; None stays None. Raises ValueError."""
    if written is None:
        return None
    try:
        return date.fromisoformat(written).isoformat()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError("must be a date such as 2027-03-31") from None


def ending(stored: StoredProfile, now: int, references: References | None = None) -> Ending | None:
    """What is to be told of ``stored`` at ``now`` (wall time): its secret, or its client
    certificate, ends within 30 days or is over, another secret is to follow, or a previous one is
    still good; None where there is nothing to tell.

    With ``references`` a certificate in a file is read, and told of where it can't be; without
    them only a sealed one is known.
    """
    told = [
        expiry(stored.columns.settings.get(EXPIRY), now),
        _of_certificate(stored, now, references),
    ]
    for state in ("wrong", "odd"):
        for each in told:
            if each is not None and each.state == state:
                return each
    follows = min((each.valid_from or 0 for each in stored.next.values()), default=0)
    if follows:
        return Ending("ok", f"the next one follows at {_minute(follows)}")
    until = max((each.valid_until or 0 for each in stored.previous.values()), default=0)
    return (
        Ending("ok", f"the previous one is tried until {_minute(until)}") if until > now else None
    )


def _of_certificate(
    stored: StoredProfile, now: int, references: References | None
) -> Ending | None:
    written = stored.columns.settings.get(CLIENT_CERTIFICATE)
    name = written.get("file") if isinstance(written, dict) else None
    if not isinstance(name, str):
        sealed = stored.secrets.get(CLIENT_CERTIFICATE)
        return expiry(None if sealed is None else sealed.hint, now, of=CERTIFICATE)
    if references is None:
        return None
    try:
        ends = ends_on(references.read(FromFile(name)))
    except CredentialFailure as failure:
        return Ending("odd", f"can't be read here: {failure.message}", CERTIFICATE)
    if ends is None:
        return Ending("odd", f"can't be read: the file {name} holds none in PEM", CERTIFICATE)
    return expiry(ends, now, of=CERTIFICATE)


def _minute(at: int) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%dT%H:%MZ")


def expiry(written: object, now: int, *, of: str = "secret") -> Ending | None:
    """What is to be told of a date at which something ends; None for nothing, and for no date."""
    if not isinstance(written, str):
        return None
    today = datetime.fromtimestamp(now // SECOND, UTC).date()
    try:
        days = (date.fromisoformat(written) - today).days
    except ValueError:  # written by hand
        return None
    if days <= 0:
        return Ending("wrong", f"expired on {written}", of)
    if days <= SOON_DAYS:
        counted = f"{days} {'day' if days == 1 else 'days'}"
        return Ending("odd", f"expires in {counted} ({written})", of)
    return None
