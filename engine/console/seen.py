"""Forms of what others may change meanwhile: each says what it has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ChangedMeanwhile
from engine.operations.marks import require_same

if TYPE_CHECKING:
    from engine.console.visit import Fields

SEEN = "seen"
"""The field of a form that has the mark of what it was filled with."""


def require_unchanged(form: Fields, what: str, mark: str | None) -> None:
    """Raise ChangedMeanwhile unless a form was filled with what stands now. The form is shown again
    with what was typed, and then has seen that.
    """
    seen = form[SEEN]
    try:
        require_same(what, (seen,) if seen else (), mark)
    except ChangedMeanwhile as error:
        raise ChangedMeanwhile(
            f"somebody else has changed {what} since you opened this form, and nothing was saved:"
            " look at it in another window; saving again puts yours in its place"
        ) from error
