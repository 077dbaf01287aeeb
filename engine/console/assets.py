"""The files of the console: style sheets, htmx, the icon. Their names hold a hash of their content,
so that browsers may keep them for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from engine.core.drawing.style import STYLE

PREFIX = "/static/"
FOREVER = "public, max-age=31536000, immutable"

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_SVG = "image/svg+xml"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file: where it is, and what."""

    path: str
    content_type: str
    body: bytes


def load_assets() -> dict[str, Asset]:
    """The files by their plain names, as templates name them."""
    found = {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir())}
    found["graph.css"] = STYLE.encode()
    return {name: _asset(name, body) for name, body in found.items() if not name.endswith(".txt")}


def _asset(name: str, body: bytes) -> Asset:
    stem, _, ending = name.rpartition(".")
    digest = sha256(body).hexdigest()[:16]
    return Asset(f"{PREFIX}{stem}.{digest}.{ending}", _TYPES.get(f".{ending}", _SVG), body)
