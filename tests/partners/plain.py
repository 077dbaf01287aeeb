"""Partners without authentication: for load, and for looking at what was sent."""

from __future__ import annotations

from tests.partners.partner import Partner
from tests.partners.traffic import Reply, Request


class Answers(Partner):
    """Answers everything at once, with the same.

    With ``record=False`` it is the other end of load tests: it counts ``requests`` and
    ``connections``, shows ``/__counts``, and knows no misbehaviour.
    """

    def __init__(
        self, body: bytes = b'{"score":4711}', *, status: int = 200, record: bool = True
    ) -> None:
        super().__init__(record=record)
        self.body = body
        self.status = status

    def reply(self) -> Reply:
        """What everybody gets."""
        return Reply(self.status, self.body, (("content-type", "application/json"),))

    def answer(self, request: Request) -> Reply:
        return self.reply()


class Echo(Partner):
    """Answers with the request as it saw it: method, target, headers and body."""

    def answer(self, request: Request) -> Reply:
        return Reply.json(
            200,
            {
                "method": request.method,
                "target": request.target,
                "headers": request.headers,
                "body": request.body.decode("utf-8", "replace"),
            },
        )
