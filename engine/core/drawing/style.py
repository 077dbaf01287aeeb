"""The colours and faces of a drawing: one style sheet, light and dark, for screens and paper.

Every colour is a custom property with its light value before it, for programs that know none.
"""

from __future__ import annotations

from engine.core.drawing.typesetting import Face

HEADING = Face(20, 26, bold=True)
ABOUT = Face(13, 19)
TITLE = Face(13.5, 18, bold=True)
DETAIL = Face(12, 17)
CODE = Face(10.5, 16, mono=True)
COUNT = Face(11.5, 16)
TAG = Face(11.5, 15, bold=True)
TAG_CODE = Face(10.5, 14, mono=True)

# Name: what it is in the light, in the dark.
_COLOURS = {
    "canvas": ("#f6f7f9", "#11151b"),
    "card": ("#ffffff", "#1a2029"),
    "edge": ("#dce1e8", "#2d3643"),
    "shade": ("#e9ecf1", "#0c0f14"),
    "text": ("#18212e", "#e9eef5"),
    "muted": ("#5a6676", "#98a5b6"),
    "wire": ("#9aa6b6", "#5a687a"),
    "jump": ("#6d5ce7", "#a095ff"),
    "bad": ("#c8324d", "#ff7f92"),
    "good": ("#1f9254", "#57c98a"),
    "pause": ("#c07a12", "#f0b455"),
    "end": ("#2a3546", "#dfe5ee"),
    "on_end": ("#ffffff", "#161c25"),
}
_TYPES = {
    "entry": ("#15803d", "#dcf4e4", "#63d68b", "#17371f"),
    "call_api": ("#2160e4", "#e5edfd", "#82b1ff", "#1c2c4b"),
    "wait": ("#a8620c", "#fcefda", "#f2b661", "#3a2c16"),
    "wait_for": ("#bd430f", "#fde8dd", "#ff9d6b", "#40261a"),
    "branch": ("#7438e6", "#eee6fd", "#b79bff", "#2e254e"),
    "split": ("#0d7f72", "#daf4f0", "#4fd1bf", "#133631"),
    "set": ("#475569", "#e8ecf1", "#a9b6c6", "#28313c"),
    "emit": ("#b82b74", "#fbe5f0", "#ff8cc0", "#42203a"),
    "start_journey": ("#0c78aa", "#dcf0fa", "#63c7f5", "#143345"),
    "other": ("#475569", "#e8ecf1", "#a9b6c6", "#28313c"),
}
_SANS = '"Inter","Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans","DejaVu Sans Condensed"'
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"


def _properties(dark: bool) -> str:
    pairs = [(name, colours[dark]) for name, colours in _COLOURS.items()]
    for name, colours in _TYPES.items():
        ink, tint = colours[2:] if dark else colours[:2]
        pairs += [(f"{name}-ink", ink), (f"{name}-tint", tint)]
    return ".jg{" + "".join(f"--jg-{name}:{colour};" for name, colour in pairs) + "}"


def _paint(selector: str, what: str, name: str, more: str = "") -> str:
    light = _COLOURS[name][0] if name in _COLOURS else _of_type(name)
    return f".jg {selector}{{{what}:{light};{what}:var(--jg-{name});{more}}}"


def _of_type(name: str) -> str:
    type_, _, which = name.rpartition("-")
    return _TYPES[type_][which == "tint"]


def _text(selector: str, face: Face, colour: str) -> str:
    weight = 600 if face.bold else 400
    family = _MONO if face.mono else f"{_SANS},sans-serif"
    return _paint(selector, "fill", colour, f"font:{weight} {face.size}px {family};")


def _sheet() -> str:
    rules = [
        _properties(dark=False),
        f"@media (prefers-color-scheme:dark){{{_properties(dark=True)}}}",
        f"@media print{{{_properties(dark=False)}.jg{{print-color-adjust:exact}}}}",
        _paint(".jg-canvas", "fill", "canvas"),
        _paint(".jg-card", "fill", "card", "stroke:#dce1e8;stroke:var(--jg-edge);"),
        _paint(".jg-shade", "fill", "shade"),
        _paint(".jg-rail", "fill", "edge"),
        _paint(".jg-frame", "stroke", "wire", "fill:none;stroke-dasharray:4 4;"),
        _paint(".jg-end .jg-card", "fill", "end", "stroke:none;"),
        _paint(".jg-lost .jg-card", "fill", "card", "stroke:#c8324d;stroke:var(--jg-bad);"),
        _paint(".jg-tag", "fill", "card", "stroke:#dce1e8;stroke:var(--jg-edge);"),
        ".jg-icon{fill:none;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}",
        _paint(".jg-end .jg-icon", "stroke", "on_end"),
        _paint(".jg-lost .jg-icon", "stroke", "bad"),
        *(_paint(f".jg-{name} .jg-icon", "stroke", f"{name}-ink") for name in _TYPES),
        *(_paint(f".jg-{name} .jg-tile", "fill", f"{name}-tint") for name in _TYPES),
        _text(".jg-heading", HEADING, "text"),
        _text(".jg-about", ABOUT, "muted"),
        _text(".jg-title", TITLE, "text"),
        _text(".jg-detail", DETAIL, "muted"),
        _text(".jg-code", CODE, "muted"),
        _text(".jg-count", COUNT, "muted"),
        _text(".jg-name", TAG, "text"),
        _text(".jg-condition", TAG_CODE, "muted"),
        ".jg-name,.jg-condition{text-anchor:middle}",
        _paint(".jg-end text", "fill", "on_end"),
        _paint(".jg-lost text", "fill", "bad"),
        _paint(".jg-word", "fill", "branch-ink"),
        *(_paint(f".jg-is-{name}", "fill", name) for name in ("good", "bad", "pause", "text")),
        _paint(".jg-is-skipped", "fill", "wire"),
        ".jg-way{fill:none;stroke-width:1.6;stroke-linejoin:round}",
        _paint(".jg-way", "stroke", "wire"),
        _paint(".jg-head", "fill", "wire"),
        _paint(".jg-way.jg-jump", "stroke", "jump"),
        _paint(".jg-head.jg-jump", "fill", "jump"),
        _paint(".jg-way.jg-failure", "stroke", "bad", "stroke-dasharray:5 4;"),
        _paint(".jg-head.jg-failure", "fill", "bad"),
        _paint(".jg-failure .jg-name", "fill", "bad"),
        _paint(".jg-jump .jg-name", "fill", "jump"),
    ]
    return "".join(rules)


STYLE = _sheet()
"""The style sheet of every drawing; its rules touch nothing outside of one."""
