"""Users from a file: checked whole before the first of them enters a journey.

Two passes. :func:`open_users` reads everything and finds every problem; :meth:`UsersFile.rows`
reads again and hands the users over one by one. Neither holds the file in memory: a row costs eight
bytes (see :mod:`engine.users.repeats`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from engine.users.csv_rows import CSVRows
from engine.users.findings import Findings, UsersFileError, unusable
from engine.users.given import json_or_text, pairs_of, utf8
from engine.users.jsonl_rows import JSONLRows
from engine.users.records import is_json_lines
from engine.users.repeats import Repeats
from engine.users.row import (
    BadRow,
    UserRow,
    check_id,
    check_inputs,
    check_zone,
    shown,
)
from engine.users.source import Source, UnreadableFile
from engine.users.user_blocks import Block, Rows, blocks

if TYPE_CHECKING:
    from engine.users.source import Lines
    from engine.users.user_blocks import Reader

__all__ = ["UserRow", "UsersFile", "UsersFileError", "one_user", "open_users"]

_MARK_EVERY = 4096


class UsersFile:
    """A checked file of users.

    ``digest`` is the SHA-256 of its content in hex and identifies a run's input; ``count`` are the
    users in it; ``skipped`` the bad rows left out, of which ``problems`` names the first. The file
    stays open until :meth:`close`.
    """

    def __init__(
        self, source: Source, reader: Reader, begin: tuple[int, int], *, skip_bad: bool
    ) -> None:
        self.count = 0
        self._source = source
        self._reader = reader
        self._mark_offsets = array("q", [begin[0]])
        self._mark_lines = array("q", [begin[1]])
        self._mark_users = array("q", [0])
        self._repeated = array("q")
        findings = Findings(source.name, hint="; --skip-bad leaves bad rows out")
        self._check(findings)
        if findings.count and not skip_bad:
            raise findings.error()
        if not self.count:
            raise findings.nothing("users")
        self.skipped = findings.count
        self.problems = findings.problems
        self.digest = source.digest()

    def rows(self, start: int = 0) -> Iterator[UserRow]:
        """The users in file order, from the ``start``-th on (the first is 0), found without reading
        all before it. Raises :class:`UsersFileError` if the file was changed meanwhile."""
        self._require_unchanged()
        mark = bisect_right(range(len(self._mark_lines)), start, key=self._users_before) - 1
        yield from islice(self._users_from(mark), start - self._users_before(mark), None)
        self._require_unchanged()

    def close(self) -> None:
        """Give the file back."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self, findings: Findings) -> None:
        repeats = Repeats()
        try:
            for good, bad, offset, line in self._blocks_from(0):
                for row in bad:
                    findings.add(row)
                repeats.add(good.ids)
                self.count += len(good.ids)
                if self.count - self._mark_users[-1] >= _MARK_EVERY:
                    self._mark_offsets.append(offset)
                    self._mark_lines.append(line)
                    self._mark_users.append(self.count)
        except BadRow as endless:
            raise unusable(self._source.name, endless) from None
        self._check_repeats(repeats, findings)

    def _check_repeats(self, repeats: Repeats, findings: Findings) -> None:
        repeated = array("q")
        for row, line in repeats.find(lambda: self._users_from(0)):
            repeated.append(row.line)
            findings.add(_repeats(row.id, line).at(row.line))
        self._repeated = array("q", sorted(repeated))
        self.count -= len(repeated)

    def _blocks_from(self, mark: int) -> Iterator[Block]:
        begin = self._mark_offsets[mark], self._mark_lines[mark]
        return blocks(self._source, self._reader, *begin)

    def _users_before(self, mark: int) -> int:
        return self._mark_users[mark] - bisect_right(self._repeated, self._mark_lines[mark])

    def _users_from(self, mark: int) -> Iterator[UserRow]:
        users = chain.from_iterable(block.good.users for block in self._blocks_from(mark))
        if not self._repeated:
            return users
        return (row for row in users if not self._is_repeated(row.line))

    def _is_repeated(self, line: int) -> bool:
        place = bisect_right(self._repeated, line)
        return place > 0 and self._repeated[place - 1] == line

    def _require_unchanged(self) -> None:
        if self._source.changed():
            raise UsersFileError(
                f"{self._source.name} was changed while it was being read; start again"
            )


def open_users(
    path: str | Path | Source,
    *,
    inputs: Mapping[str, str],
    skip_bad: bool = False,
    stdin: BinaryIO | None = None,
    also: Callable[[UserRow], object] | None = None,
) -> UsersFile:
    """Check all users in ``path`` (``-``: standard input; or an open source, which is closed with
    the users): CSV or JSON Lines, by name or content.

    ``inputs`` are the journey's, name to type (text, number, boolean, date, any); every user must
    bring them. ``also`` raises BadRow for a user who is no good besides. With ``skip_bad`` bad rows
    are left out and counted, and of a repeated id the first is kept. Raises
    :class:`UsersFileError` for bad rows, an unreadable file, and one without users.
    """
    try:
        source = path if isinstance(path, Source) else Source.open(path, stdin)
    except UnreadableFile as error:
        raise UsersFileError(error.message) from None
    try:
        reader, begin = _reader(source, inputs)
        if also is not None:
            reader = _Stricter(reader, also)
        return UsersFile(source, reader, begin, skip_bad=skip_bad)
    except BaseException:
        source.close()
        raise


def one_user(
    user: str, settings: Sequence[str], inputs: Sequence[str], declared: Mapping[str, str]
) -> UserRow:
    """The user of ``--user ID --set K=V... --input K=V...``.

    A value is JSON if it parses and text otherwise; a declared text or date is text as it stands.
    ``--set timezone=ZONE`` sets the zone. Raises :class:`UsersFileError`.
    """
    try:
        user, settings, inputs = utf8(user), [*map(utf8, settings)], [*map(utf8, inputs)]
        attributes = dict(pairs_of("--set", settings))
        brought = {
            name: text if declared.get(name) in ("text", "date") else json_or_text(text)
            for name, text in pairs_of("--input", inputs).items()
        }
        zone = attributes.pop("timezone", None)
        if "id" in attributes:
            raise BadRow("users.bad_id", "--set id=... is no attribute", "use --user ID")
        for name in declared:
            if name not in brought:
                remedy = f"say --input {name}=VALUE, as the journey asks every user for it"
                raise BadRow("users.missing_input", f"the input {shown(name)} is missing", remedy)
        check_inputs(declared, brought)
        return UserRow(
            0,
            check_id(user),
            check_zone(zone) if zone else None,
            {name: json_or_text(text) for name, text in attributes.items()},
            brought,
        )
    except BadRow as bad:
        remedy = f"; {bad.remedy}" if bad.remedy else ""
        raise UsersFileError(f"user {shown(user)}: {bad.message}{remedy}") from None


class _Stricter:
    """Another reader's rows, with one check more."""

    def __init__(self, reader: Reader, check: Callable[[UserRow], object]) -> None:
        self._reader = reader
        self._check = check

    def rows(self, lines: Lines) -> Iterator[UserRow | BadRow]:
        """The rows; one that the check refuses is a bad one."""
        for row in self._reader.rows(lines):
            try:
                if isinstance(row, UserRow):
                    self._check(row)
                yield row
            except BadRow as bad:
                yield bad.at(row.line)

    def at_once(self, text: str, line: int) -> Rows | None:
        """Those of a block; it is looked at row by row where the check refuses one."""
        rows = self._reader.at_once(text, line)
        if rows is None:
            return None
        users = [*rows.users]
        for row in users:
            self._check(row)
        return Rows(rows.ids, users)


def _reader(source: Source, declared: Mapping[str, str]) -> tuple[Reader, tuple[int, int]]:
    head = source.head()
    if not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise UsersFileError(f"no users in {source.name}: it is empty")
    if b"\0" in head:
        raise UsersFileError(f"{source.name} isn't text in UTF-8, but binary or another encoding")
    if is_json_lines(source.name, head):
        return JSONLRows(declared), (0, 0)
    lines = source.lines()
    try:
        reader = CSVRows.after_header(lines, declared)
    except BadRow as bad:
        raise unusable(source.name, bad.at(1)) from None
    return reader, (lines.offset, lines.line)


def _repeats(user: str, line: int) -> BadRow:
    return BadRow(
        "users.repeated_id", f"the id {shown(user)} is already on line {line}", "keep one of them"
    )
