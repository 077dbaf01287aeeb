"""The console as an ASGI application: every page behind the same gate.

Pages are plain functions that wait for the database; they run in threads of the console's own, so
that nobody's calls or events wait for them.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router

from engine.access import sessions
from engine.access.operators import opening_link
from engine.clock import wall
from engine.console import safety
from engine.console.assets import FOREVER, load_assets
from engine.console.means import Means
from engine.console.menu import menu_of
from engine.console.refusals import Refusal, refusal_of
from engine.console.rendering import Templates, link
from engine.console.routes import PAGES
from engine.console.visit import Fields, Redirected, Sent, Shown, Visit
from engine.errors import DatabaseUnavailable, EngineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from engine.access.sessions import Session
    from engine.console.assets import Asset
    from engine.console.visit import Page, Reply
    from engine.operations.store import Finding
    from engine.processes.duties import Post

_log = logging.getLogger(__name__)

THREADS = 8
"""A test request may keep one for a while."""
LARGEST_FORM = 512 * 1024
_MOST_FIELDS = 300
_FORM = "application/x-www-form-urlencoded"
_HTML = "text/html; charset=utf-8"
_ENGINE = "engine"


@asynccontextmanager
async def open_console(
    post: Post, health: Callable[[], Sequence[Finding]], url: str
) -> AsyncIterator[Console]:
    """The console of a process that is reached at ``url``. As long as nobody has ever logged in,
    its greeting has a link for that. Raises SettingsError.
    """
    means = Means(post, health)
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="console")
    try:
        greeting = f"console: {url}{await asyncio.to_thread(_opening_path, means)}"
        yield Console(means, threads, greeting)
    finally:  # who was inside has been waited for
        threads.shutdown(wait=False, cancel_futures=True)


def _opening_path(means: Means) -> str:
    """Where to begin. A database that is locked at this moment keeps nobody's process from it."""
    try:
        with means.database.write() as connection:
            found = opening_link(connection, actor=_ENGINE, now=wall())
    except DatabaseUnavailable:
        return "/"
    return "/" if found is None else f"{found.path} (log in by it once, within the hour)"


class Console:
    """Serves every path that nothing else does. ``greeting`` says where it is."""

    def __init__(self, means: Means, threads: ThreadPoolExecutor, greeting: str) -> None:
        assets = load_assets()
        self.greeting = greeting
        self._means = means
        self._threads = threads
        self._templates = Templates(str(Path(__file__).parent / "templates"), assets, means.zone)
        routes = [Route(each.path, _asset(each)) for each in assets.values()]
        routes += [Route(page.path, self._endpoint(page), methods=[page.method]) for page in PAGES]
        self._router = Router(routes, redirect_slashes=False, default=self._nothing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._router(scope, receive, send)

    def _endpoint(self, page: Page) -> Callable[[Request], object]:
        async def serve(request: Request) -> Response:
            """Read the form, if there is one; the rest is done in a thread."""
            request.scope["route_name"] = page.path
            form = Fields()
            try:
                if page.method == "POST":
                    form = await _form_of(request)
            except Refusal as refusal:
                return self._refused(request, refusal, None, "")
            run = asyncio.get_running_loop().run_in_executor
            return await run(self._threads, self._serve, page, request, form)

        return serve

    def _serve(self, page: Page, request: Request, form: Fields) -> Response:
        """The gate, the page, and the answer; in a thread."""
        session_id, session = safety.session_of(request), None
        try:
            session = self._session(request, session_id)
            if not page.open and session is None:
                return _to_login(request)
            _require_sent_by_us(page, request, session_id, form)
            visit = Visit(
                means=self._means,
                now=wall(),
                address=request.client.host if request.client else "",
                place=request.path_params,
                query=Fields(request.query_params.multi_items()),
                form=form,
                session=session,
                session_id=session_id if session is not None else "",
            )
            if page.permission is not None and not visit.may(page.permission):
                raise Refusal(
                    403, "Not yours to do", f"this takes the permission {page.permission}"
                )
            return self._answer(request, visit, page.show(visit))
        except Exception as error:  # noqa: BLE001 - the border: a bug fails one request
            if not isinstance(error, EngineError):
                _log.exception("a bug met by request %s", request.scope.get("request_id"))
            return self._refused(request, refusal_of(error), session, session_id)

    def _session(self, request: Request, session_id: str) -> Session | None:
        """Who asks. A page that refreshes itself doesn't keep his session alive."""
        if not session_id:
            return None
        database, now = self._means.database, wall()
        if _is_live(request):
            with database.read() as connection:
                return sessions.find(connection, session_id, now)
        return sessions.visit(database, session_id, now)

    def _answer(self, request: Request, visit: Visit, reply: Reply) -> Response:
        match reply:
            case Shown(template, values, status):
                response = self._page(request, visit, template, values, status)
            case Redirected(to):
                response = RedirectResponse(to, status_code=303)
                session = visit.session_id if reply.session is None else reply.session
                if reply.session is not None:
                    safety.keep_session(request, response, reply.session)
                if reply.said:
                    safety.keep_said(request, response, session, reply.said, bad=reply.bad)
            case Sent(body, content_type, name):
                disposition = {"content-disposition": f'attachment; filename="{name}"'}
                response = Response(body, media_type=content_type, headers=disposition)
        safety.protect(request, response)
        return response

    def _page(
        self,
        request: Request,
        visit: Visit,
        template: str,
        values: Mapping[str, object],
        status: int,
    ) -> Response:
        said = None if _is_live(request) else safety.take_said(request, visit.session_id)
        body = self._templates.render(
            template,
            {
                "visit": visit,
                "session": visit.session,
                "now": visit.now,
                "csrf": sessions.csrf_token(visit.session_id) if visit.session else "",
                "menu": menu_of(visit, request.url.path),
                "here": _here(request),
                "origin": f"{request.url.scheme}://{request.url.netloc}",
                "csv_link": _here(request, ("format", "csv")),
                "query": visit.query,
                "said": said,
                **values,
            },
        )
        response = Response(body.encode(), status, media_type=_HTML)
        if said is not None:
            response.delete_cookie(safety.SAID, path="/")
        return response

    def _refused(
        self, request: Request, refusal: Refusal, session: Session | None, session_id: str
    ) -> Response:
        """A page that says no."""
        visit = Visit(
            self._means, wall(), "", {}, Fields(), Fields(), session, session_id if session else ""
        )
        values = {"refusal": refusal, "request_id": request.scope.get("request_id", "")}
        response = self._page(request, visit, "refused.html", values, refusal.status)
        for name, value in refusal.headers.items():
            response.headers[name] = value
        safety.protect(request, response)
        return response

    async def _nothing(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is answered where there is no page."""
        from starlette.requests import Request  # noqa: PLC0415 - only types need it else

        request = Request(scope, receive)
        refusal = Refusal(404, "Nothing here", "there is no such page")
        run = asyncio.get_running_loop().run_in_executor
        response = await run(self._threads, self._stranger, request, refusal)
        await response(scope, receive, send)

    def _stranger(self, request: Request, refusal: Refusal) -> Response:
        session_id, session = safety.session_of(request), None
        try:
            session = self._session(request, session_id)
        except DatabaseUnavailable:
            session = None
        return self._refused(request, refusal, session, session_id)


def _asset(asset: Asset) -> Callable[[Request], object]:
    async def serve(request: Request) -> Response:
        """The file, to be kept for ever: its name changes with it."""
        request.scope["route_name"] = "/static/"
        response = Response(asset.body, media_type=asset.content_type)
        response.headers["cache-control"] = FOREVER
        response.headers["x-content-type-options"] = "nosniff"
        return response

    return serve


async def _form_of(request: Request) -> Fields:
    """What a form says. Raises Refusal for one that is too large, and for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Refusal(415, "Not a form", "this takes a form")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise Refusal(413, "Too large", f"a form has {LARGEST_FORM:,} bytes at most")
    try:
        pairs = parse_qsl(
            bytes(body).decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise Refusal(400, "Not a form", "the form can't be read") from None
    return Fields(pairs)


def _require_sent_by_us(page: Page, request: Request, session_id: str, form: Fields) -> None:
    """Raise Refusal for a form that another site made, or one of another session."""
    if page.method != "POST":
        return
    if safety.is_of_another_site(request):
        raise Refusal(403, "From elsewhere", "another site has sent this form: nothing was done")
    if not page.open and not sessions.csrf_fits(session_id, form.exact("csrf")):
        raise Refusal(
            403,
            "This form is of another session",
            "you have logged in again since it was opened: open the page again, then send it;"
            " nothing was done",
        )


def _to_login(request: Request) -> Response:
    if _is_live(request):
        response = Response(status_code=204)  # the page stays as it is
    else:
        asked = _here(request) if request.method == "GET" else request.url.path
        to = link("/login", next=asked if request.method == "GET" and asked != "/" else None)
        response = RedirectResponse(to, status_code=303)
    safety.protect(request, response)
    return response


def _here(request: Request, *more: tuple[str, str]) -> str:
    """The page's own path and query, perhaps with something more in the latter."""
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] != "format"]
    query = urlencode([*pairs, *more], errors="replace")
    return f"{request.url.path}?{query}" if query else request.url.path


def _is_live(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"
