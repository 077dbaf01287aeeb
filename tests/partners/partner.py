"""What all partners have in common: they record, count, and misbehave on demand."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, fields

from tests.partners.traffic import Reply, Request


@dataclass(slots=True)
class Behaviour:
    """How a partner misbehaves; may be changed while it runs.

    ``delay``: seconds before each answer. ``down``: every connection is reset unanswered.
    ``reject``: 401 to everybody, whatever he brings. ``statuses``: answered one after another, once
    authenticated (200 and other 2xx: the real answer); then ``status`` for good, if set.
    ``fail_first``: so many attempts with one idempotency key get 503 before the real answer.
    ``retry_after`` goes with any 429 and 503.
    """

    delay: float = 0.0
    down: bool = False
    reject: bool = False
    status: int | None = None
    statuses: list[int] = field(default_factory=list)
    fail_first: int = 0
    retry_after: str | None = None


class Partner:
    """A server: ``answer`` says what it does with a request.

    ``url`` (no slash at the end) is known once it runs. ``log`` has every request in order,
    ``counts`` at least ``requests``, ``status.NNN``, ``connections`` and ``most_at_once``. With
    ``record=False`` it only counts.
    """

    def __init__(self, *, record: bool = True) -> None:
        self.record = record
        self.behaviour = Behaviour()
        self.log: list[Request] = []
        self.counts: Counter[str] = Counter()
        self.url = ""
        self._tries: Counter[str] = Counter()

    def answer(self, request: Request) -> Reply:
        """What to answer when nothing misbehaves."""
        raise NotImplementedError

    def change(self, **changes: object) -> None:
        """Change settings by name, those of ``behaviour`` too; ``change_NAME`` does what isn't
        a plain value. Raises ValueError for an unknown name."""
        for name, value in changes.items():
            special = getattr(self, f"change_{name}", None)
            if special is not None:
                special(value)
            elif name in _BEHAVIOUR:
                setattr(self.behaviour, name, value)
            elif name in vars(self) and not name.startswith("_"):
                setattr(self, name, value)
            else:
                raise ValueError(f"{type(self).__name__} has no setting {name!r}")

    def receive(self, request: Request) -> Reply:
        """Answer, record and count; the door that the server knocks at."""
        if request.raw_target.startswith(b"/__"):
            return self._administer(request)
        if self.record:
            self.log.append(request)
        reply = self._reply(request)
        request.status = 0 if reply.abort else reply.status
        counts = self.counts
        counts["requests"] += 1
        counts[f"status.{request.status}"] += 1
        reply.delay += self.behaviour.delay
        return reply

    def _reply(self, request: Request) -> Reply:
        return Reply(abort=True) if self.behaviour.down else self.admitted(request)

    def admitted(self, request: Request) -> Reply:
        """The answer to a request that came through the door: scripted, else the real one."""
        behaviour = self.behaviour
        status = behaviour.status
        if behaviour.statuses:
            status = behaviour.statuses.pop(0)
        elif behaviour.fail_first:
            key = request.header("idempotency-key") or ""
            self._tries[key] += 1
            if self._tries[key] <= behaviour.fail_first:
                status = 503
        if status is None or 200 <= status < 300:
            return self.answer(request)
        return self.failing(status)

    def failing(self, status: int) -> Reply:
        """An answer of that status."""
        after = self.behaviour.retry_after
        headers = (("retry-after", after),) if after and status in (429, 503) else ()
        return Reply.json(status, {"error": f"status {status}"}, headers)

    def _administer(self, request: Request) -> Reply:
        if request.path == "/__counts":
            return Reply.json(200, dict(self.counts))
        if request.path == "/__log":
            last = int(request.query.get("last", "1000"))
            return Reply.json(200, [seen.as_record() for seen in self.log[-last:]])
        if request.path == "/__set":
            try:
                self.change(**json.loads(request.body))
            except (TypeError, ValueError) as error:
                return Reply.json(400, {"error": str(error)})
            return Reply.json(200, {})
        return Reply.json(404, {"error": "/__counts, /__log or /__set"})


_BEHAVIOUR = frozenset(each.name for each in fields(Behaviour))


class Protected(Partner):
    """A partner that lets nobody in without his credential."""

    def challenge(self, request: Request) -> Reply | None:
        """The refusal for a request that may not come in; None lets it in.

        Sets ``request.credential`` of one that may.
        """
        raise NotImplementedError

    def refused(self, cause: str, *challenge: tuple[str, str]) -> Reply:
        """A 401, counted by cause under ``401.CAUSE``."""
        self.counts[f"401.{cause}"] += 1
        return Reply.json(401, {"error": "unauthorized", "cause": cause}, challenge)

    def _reply(self, request: Request) -> Reply:
        if self.behaviour.down:
            return Reply(abort=True)
        if self.behaviour.reject:
            return self.refused("rejects_all", ("www-authenticate", 'Bearer realm="partner"'))
        return self.challenge(request) or self.admitted(request)
