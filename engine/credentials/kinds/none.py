"""No authentication, under a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from engine.core.message import Answer
from engine.credentials.credential import Placement
from engine.credentials.kinds.base import AuthKind


class NoAuth(AuthKind):
    """Sends nothing. A 401 is the endpoint's own failure."""

    kind: Literal["none"] = Field("none", description="Sends nothing.")

    def placement(self, values: Mapping[str, str]) -> Placement:
        """Nothing."""
        return Placement()

    @staticmethod
    def rejected(answer: Answer) -> bool:
        """Never: there is nothing to reject."""
        return False
