"""Redaction by value: known secrets are taken out of texts, in every encoding they travel in.

Servers echo secrets in error bodies, libraries log URLs and headers: what is known is found by
value, wherever it stands. Redact before truncating, or half a secret stays.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

MASK = "[redacted]"

_SHORTEST = 4
"""Shorter values stand everywhere by chance."""

_SHORTEST_BASE64 = 8
_REMEMBERED = 20_000
_WINDOW = 64 * 1024
"""Characters that are looked through before another thread has its turn."""

_MANY_PAIRS = 256


class Redactor:
    """Takes known values out of texts. May be used from any thread.

    The newest 20,000 values are remembered; a text is scanned once, whatever their number.
    """

    def __init__(self) -> None:
        self._values: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._forms: dict[str, dict[str, int]] = {}
        self._beginnings = _Beginnings()
        self._lock = threading.Lock()

    def learn(self, values: Iterable[str]) -> None:
        """Remember these values as secret; those under four characters can't be told from text."""
        with self._lock:
            for value in values:
                if len(value) < _SHORTEST:
                    continue
                if value in self._values:
                    self._values.move_to_end(value)
                    continue
                self._values[value] = forms = encodings(value)
                for form in forms:
                    self._beginnings.add(form)
                    of_beginning = self._forms.setdefault(form[:_SHORTEST], {})
                    of_beginning[form] = of_beginning.get(form, 0) + 1
                if len(self._values) > _REMEMBERED:
                    self._forget()

    def redact(self, text: str) -> str:
        """``text`` with every known value, in any encoding, as ``[redacted]``."""
        kept: list[str] = []
        start = position = 0
        while (position := self._next_beginning(text, position)) >= 0:
            end = self._end_of_secret(text, position)
            if end:
                kept += (text[start:position], MASK)
                start = position = end
            else:
                position += 1
        return "".join((*kept, text[start:])) if kept else text

    def _next_beginning(self, text: str, position: int) -> int:
        """Where from ``position`` on two characters stand with which a value begins; -1: nowhere.

        Nearly all of a text is passed over by the regular expression, which is what makes this
        fast.
        """
        with self._lock:
            pattern = self._beginnings.pattern()
        if pattern is None:
            return -1
        while position < len(text):
            found = pattern.search(text, position, position + _WINDOW + 1)
            if found is not None:
                return found.start()
            position += _WINDOW
        return -1

    def _end_of_secret(self, text: str, position: int) -> int:
        with self._lock:
            forms = self._forms.get(text[position : position + _SHORTEST])
            if forms is None:
                return 0
            return max(
                (position + len(form) for form in forms if text.startswith(form, position)),
                default=0,
            )

    def _forget(self) -> None:
        _, forms = self._values.popitem(last=False)
        for form in forms:
            of_beginning = self._forms[form[:_SHORTEST]]
            of_beginning[form] -= 1
            if not of_beginning[form]:
                del of_beginning[form]
            if not of_beginning:
                del self._forms[form[:_SHORTEST]]


class _Beginnings:
    """The two characters with which values begin, as an expression that finds any of them.

    Made anew it takes milliseconds for thousands of values that begin at random. Beyond
    ``_MANY_PAIRS`` it is one of any first and any second character, which soon stays the same.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, set[str]] = {}
        self._second: set[str] = set()
        self._pairs = 0
        self._pattern: re.Pattern[str] | None = None

    def add(self, form: str) -> None:
        """A value may stand in this form."""
        first, second = form[0], form[1]
        seconds = self._seconds.setdefault(first, set())
        if second in seconds:
            return
        if self._pairs <= _MANY_PAIRS or not seconds or second not in self._second:
            self._pattern = None
        seconds.add(second)
        self._second.add(second)
        self._pairs += 1

    def pattern(self) -> re.Pattern[str] | None:
        """The expression; None where there is no value."""
        if self._pattern is None and self._pairs:
            if self._pairs > _MANY_PAIRS:
                text = _any_of(self._seconds) + _any_of(self._second)
            else:
                ways = sorted(self._seconds.items())
                text = "|".join(re.escape(first) + _any_of(seconds) for first, seconds in ways)
            self._pattern = re.compile(text)
        return self._pattern


def _any_of(characters: Iterable[str]) -> str:
    return f"[{''.join(map(re.escape, sorted(characters)))}]"


_SAFE_IN_HTML = re.compile("[<>&'=]")
_ODD: tuple[Callable[[str], bool], ...] = (lambda _: True, lambda each: not each.isalnum())
"""Characters that become entities: all, or those that are neither letter nor digit."""

known_secrets = Redactor()
"""What this process has opened or been given. Its logs are redacted by it."""


class RedactionFilter(logging.Filter):
    """Redacts log records whole: message, traceback, and text in extra fields.

    Put it on handlers: a logger's filter doesn't see what its children log.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True; the record is changed."""
        record.msg, record.args = self._redactor.redact(_message(record)), None
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(
                record.exc_info
            )
            record.exc_info = None
        if record.exc_text:
            record.exc_text = self._redactor.redact(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor.redact(record.stack_info)
        for name, value in vars(record).items():
            if isinstance(value, str) and name not in ("msg", "exc_text", "stack_info"):
                setattr(record, name, self._redactor.redact(value))
        return True


def encodings(value: str) -> tuple[str, ...]:
    """Every form in which ``value`` may stand in a text: as it is, percent-encoded, in a form, in
    JSON, in HTML, in hex, in UTF-16, in other capitals, and inside of anything in base64 (a Basic
    pair, a data URL). Of a private key in PEM also each line, since few texts hold it whole.
    """
    forms = {form for each in (value, *_key_lines(value)) for form in _escaped(each)}
    return (*(form for form in forms if len(form) >= _SHORTEST), *recodings(value))


def recodings(value: str) -> tuple[str, ...]:
    """The forms of :func:`encodings` that have no character escaped: as it is, in other capitals,
    in hex, in UTF-16, inside of base64.
    """
    forms = {form for each in (value, *_key_lines(value)) for form in _recoded(each)}
    return tuple(form for form in forms if len(form) >= _SHORTEST)


def _key_lines(pem: str) -> list[str]:
    _, begin, rest = pem.partition("PRIVATE KEY-----")
    body = rest.partition("-----END")[0] if begin else ""
    return [line for line in body.split() if len(line) >= _SHORTEST_BASE64]


def _recoded(value: str) -> set[str]:
    in_hex = value.encode().hex()
    forms = {value, in_hex, in_hex.upper(), "\0".join(value)}
    for inner in {value, quote_plus(value)}:
        forms.update(_inside_base64(inner.encode()))
    if len(value) >= _SHORTEST_BASE64:
        forms |= {value.lower(), value.upper(), value.swapcase()}
    return forms


def _escaped(value: str) -> set[str]:
    from html import escape  # noqa: PLC0415 - two thousand names that most commands never need

    percent, plus = quote(value, safe=""), quote_plus(value)
    forms = {
        *(percent, quote(value), plus, _lower_percent(percent), _lower_percent(plus)),
        *(json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], escape(value)),
        repr(value)[1:-1],
    }
    return (forms | _as_others_write(value)) - {value}


def _as_others_write(value: str) -> set[str]:
    """What escapes otherwise, or more, than Python does: PHP and Java in JSON, entities by number,
    UTF-16 in what was read as something else.
    """
    quoted, units = json.dumps(value)[1:-1], value.encode("utf-16-be", "surrogatepass")
    return {
        quoted.replace("/", "\\/"),
        _SAFE_IN_HTML.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted),
        "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)),
        *("".join(f"&#{ord(each)};" if odd(each) else each for each in value) for odd in _ODD),
        *("".join(f"&#x{ord(each):x};" if odd(each) else each for each in value) for odd in _ODD),
        "".join(f"%{octet:02x}" for octet in value.encode(errors="surrogatepass")),
    }


def _lower_percent(text: str) -> str:
    pieces = text.split("%")
    return "%".join([pieces[0], *(piece[:2].lower() + piece[2:] for piece in pieces[1:])])


def _inside_base64(value: bytes) -> set[str]:
    """What every base64 text that holds ``value`` holds, wherever in it the value begins."""
    forms: set[str] = set()
    for before in range(3):
        encoded = b64encode(bytes(before) + value).decode().rstrip("=")
        first = (before * 8 + 5) // 6
        whole = (before + len(value)) * 8 // 6
        inner = encoded[first:whole]
        if len(inner) >= _SHORTEST_BASE64:
            forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 (a wrong format string must not lose the line)
        return str(record.msg)
