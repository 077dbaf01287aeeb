"""Which paths may be sent: none that could leave the endpoint, only what its ``allow`` covers."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SAFE = re.compile(
    r"/[A-Za-z0-9\-._~%!$&'()*+,;=:@/|\[\]]*(?:\?[A-Za-z0-9\-._~%!$&'()*+,;=:@/?|\[\]]*)?"
)
# One wildcard a segment: matching such a pattern takes linear time, whatever the path.
_SEGMENT = r"/[^\s/*?#]*(?:\*[^\s/*?#]*)?"
_RULE = re.compile(rf"(?P<method>\*|[A-Z]+) +(?P<path>(?:{_SEGMENT})+(?:(?<=/)\*\*)?|/\*\*)")
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)


@dataclass(slots=True, frozen=True)
class AllowRule:
    """A method (``*``: any) and a path that calls may have; made by :meth:`read`.

    In the path ``*`` stands for anything within one segment, ``**`` at its end for anything at all.
    """

    method: str
    path: re.Pattern[str]

    @classmethod
    def read(cls, text: str) -> AllowRule:
        """From ``POST /users/*/score``, ``GET /reports/**`` or ``* /health``. Raises ValueError."""
        found = _RULE.fullmatch(text.strip())
        if found is None:
            raise ValueError("a rule is a method and a path, with one * a segment, ** at the end")
        parts = re.split(r"(\*\*|\*)", found["path"])
        pattern = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
        return cls(found["method"], re.compile(pattern))

    def covers(self, method: str, path: str) -> bool:
        """Whether a call with this method and (encoded) path is allowed."""
        return self.method in ("*", method) and self.path.fullmatch(path) is not None


def target_problem(target: str) -> str | None:
    """Why this path and query can't be sent, in words that don't hold it, or None if it can."""
    if _SAFE.fullmatch(target) is None:
        if not target.startswith("/"):
            return "the path doesn't begin with /"
        return "the path holds a character that must be percent-encoded (or a backslash or '#')"
    path = target.partition("?")[0]
    if "//" in path:
        return "the path holds an empty segment (//): a value in it may be empty"
    if ("/." in path or "/%2" in path) and any(_DOTS.fullmatch(s) for s in path.split("/")):
        return "the path holds a segment that is . or .. and would leave its place"
    return None
