"""The application: raw routes by their path, everything else by what stands behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.api.problems import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.api.asgi import Application, Receive, Scope, Send


class Routes:
    """``exact`` are routes by their whole path, ``posts`` those that are it for POST only;
    ``under`` by what the path begins with, as ``/hooks/``; anything else is ``otherwise``'s.
    """

    def __init__(
        self,
        exact: Mapping[str, Application],
        posts: Mapping[str, Application],
        under: Mapping[str, Application],
        otherwise: Application,
    ) -> None:
        self._exact = exact
        self._posts = posts
        self._under = tuple(under.items())
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. ``route_name`` in its scope is what logs and metrics call it."""
        path: str = scope["path"]
        route = self._exact.get(path)
        if route is None and scope["method"] == "POST":
            route = self._posts.get(path)
        if route is not None:
            scope["route_name"] = path
            await route(scope, receive, send)
            return
        for prefix, inner in self._under:
            if path.startswith(prefix):
                scope["route_name"] = prefix
                await inner(scope, receive, send)
                return
        await self._otherwise(scope, receive, send)


async def nothing_here(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """What is answered where there is nothing."""
    raise Refused(404, "request.not_found", "there is nothing at this path")
