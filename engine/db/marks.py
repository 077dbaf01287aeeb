"""Marks of parameters: our statements are written with ``?`` and ``?1``, as SQLite takes them, and
psycopg is given ``%s`` and ``%(1)s``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TOKEN = re.compile(
    r"""'[^']*'          # a text; '' inside is two of them
      | "[^"]*"          # a name
      | --[^\n]*         # comments
      | /\*.*?\*/
      | \?(?P<number>\d*)
      | %""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Marked:
    """A statement with psycopg's marks; ``numbered`` says that they are ``%(1)s`` and so on."""

    text: str
    numbered: bool

    def values(self, values: Sequence[Any]) -> Sequence[Any] | Mapping[str, Any]:
        """One execution's values, as the marks want them."""
        if not self.numbered:
            return values
        return {str(number): value for number, value in enumerate(values, start=1)}


@lru_cache(maxsize=1024)
def marked(statement: str) -> Marked:
    """The statement with its marks replaced and every ``%`` that is none doubled."""
    numbers: set[str] = set()

    def replace(found: re.Match[str]) -> str:
        number = found["number"]
        if number is None:
            return found[0].replace("%", "%%")
        numbers.add(number)
        return f"%({number})s" if number else "%s"

    text = _TOKEN.sub(replace, statement)
    if "" in numbers and len(numbers) > 1:
        raise ValueError(f"? and ?1 in one statement: {statement}")
    return Marked(text, bool(numbers - {""}))
