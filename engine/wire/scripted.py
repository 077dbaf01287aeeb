"""The one fake that stands at the seam: for simulation, scenarios and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from engine.core.message import Answer, Request
from engine.wire.transport import DEFAULT_NETWORK, Network, Transport

Script = Callable[[Request], Answer] | Iterable[Answer]
"""What answers: a function of the request, or answers in order (the last one stays)."""

UNREACHABLE = Answer(
    failure="call.unreachable", text="nothing is scripted here", may_have_been_sent=False
)


class ScriptedTransport(Transport):
    """Answers from a script and remembers what it was asked.

    ``script`` is one :data:`Script` for everything, or a mapping from URL prefix to script; the
    longest prefix wins, and a URL without one is ``call.unreachable``. Requests stand in
    ``requests`` in the order they were sent.
    """

    def __init__(self, script: Script | Mapping[str, Script]) -> None:
        scripts = script if isinstance(script, Mapping) else {"": script}
        self._scripts = {
            prefix: each if callable(each) else _in_order(each)
            for prefix, each in sorted(scripts.items(), key=lambda item: -len(item[0]))
        }
        self.requests: list[Request] = []
        self.closed = False

    async def send(
        self,
        request: Request,
        deadline: float,
        *,
        network: Network = DEFAULT_NETWORK,
        anew: bool = False,
    ) -> Answer:
        """The scripted answer; see :class:`~engine.wire.transport.Transport`."""
        self.requests.append(request)
        for prefix, answer in self._scripts.items():
            if request.url.startswith(prefix):
                return answer(request)
        return UNREACHABLE

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


def _in_order(answers: Iterable[Answer]) -> Callable[[Request], Answer]:
    coming = iter(answers)
    last = UNREACHABLE

    def answer(_: Request) -> Answer:
        nonlocal last
        last = next(coming, last)
        return last

    return answer
