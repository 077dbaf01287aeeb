"""``/api/v1/docs``: the reference of the API, made of its own OpenAPI document.

It loads nothing but its style sheet and runs no script.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from itertools import cycle as alternating
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from engine.api.reference.model import reference_of

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "style.css").read_bytes()
DOCS = "/docs"
STYLE = f"{DOCS}/style.{sha256(_STYLE).hexdigest()[:16]}.css"
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-cache",
}
_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}


def reference_routes(prefix: str, document: str, describe: Callable[[], Any]) -> APIRouter:
    """The page under ``prefix`` and its style sheet. ``describe`` gives the OpenAPI document, which
    stands at ``document``.
    """
    router = APIRouter(include_in_schema=False)

    @cache
    def page() -> str:
        """Made once: the document never changes."""
        environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["code"] = _with_code
        return environment.get_template("page.html").render(
            reference=reference_of(describe()), style=f"{prefix}{STYLE}", document=document
        )

    @router.get(DOCS)
    def show_reference() -> HTMLResponse:
        """The page."""
        return HTMLResponse(page(), headers=_HEADERS)

    @router.get(STYLE)
    def show_style() -> Response:
        """Its style sheet, under a name that holds its hash."""
        return Response(_STYLE, media_type="text/css", headers=_FOREVER)

    return router


def _with_code(text: str) -> Markup:
    """A text in which `what stands so` is code."""
    parts = (escape(part) for part in text.split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd else part
        for odd, part in zip(alternating((False, True)), parts, strict=False)
    )
