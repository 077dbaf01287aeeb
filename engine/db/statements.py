"""The hot statements: named SQL files, one folder per database, that take sets."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def statement(name: str, database: str = "sqlite") -> str:
    """The text of ``sql/<database>/<name>.sql``."""
    return (files("engine.db") / "sql" / database / f"{name}.sql").read_text(encoding="utf-8")
