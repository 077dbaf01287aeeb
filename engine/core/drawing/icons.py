"""A picture for each step type: strokes in a square of 20 by 20."""

from __future__ import annotations

ICONS = {
    "entry": "M13 6.5a3 3 0 1 1-6 0a3 3 0 1 1 6 0M4 17c0-3.6 2.7-5.5 6-5.5s6 1.9 6 5.5",
    "call_api": "M17 3 9 11M17 3 12 17 9 11 3 8z",
    "wait": "M17 10a7 7 0 1 1-14 0a7 7 0 1 1 14 0M10 6v4l2.7 1.8",
    "wait_for": "M5 13.5V9a5 5 0 0 1 10 0v4.5l1.4 1.5H3.6zM8.4 17.2a1.7 1.7 0 0 0 3.2 0",
    "branch": "M10 3v3.5M10 6.5C10 11 4.5 9.5 4.5 15.5M10 6.5c0 4.5 5.5 3 5.5 9"
    "M2.3 13.2l2.2 2.5 2.2-2.5M13.3 13.2l2.2 2.5 2.2-2.5",
    "split": "M7.5 3h5M8.5 3v5L4.3 15.2A1.2 1.2 0 0 0 5.3 17h9.4a1.2 1.2 0 0 0 1-1.8L11.5 8V3"
    "M6.7 12.5h6.6",
    "set": "M3.8 16.2l.8-3.4L13 4.4l2.6 2.6-8.4 8.4zM11.2 6.2l2.6 2.6",
    "emit": "M11 2.5 4.5 11.5h5L9 17.5l6.5-9h-5z",
    "start_journey": "M3 10h8.5M8 6.2l3.8 3.8L8 13.8M10.5 3H16v14h-5.5",
    "exit": "M5.5 17.5v-14M5.5 4h9.2l-2 3.2 2 3.3H5.5",
    "end": "M5.5 17.5v-14M5.5 4h9.2l-2 3.2 2 3.3H5.5",
    "other": "M13 10a3 3 0 1 1-6 0a3 3 0 1 1 6 0",
}
"""Step type (or ``entry``, ``end``) → the path of its picture; ``other`` is for any other type."""


def icon_of(type_: str) -> str:
    """The name of the picture that a node of this type has."""
    return type_ if type_ in ICONS else "other"
