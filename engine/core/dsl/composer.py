"""The parser's events → nodes, within limits and without recursion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import yaml

from engine.core.dsl import scalars, yaml_traps
from engine.core.dsl.document import Node
from engine.core.dsl.problems import MOST_PROBLEMS, Lines, Place, quoted
from engine.core.dsl.yaml_syntax import syntax_problem
from engine.errors import Problem

_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_LONG = 64
"""So many characters of a text count as one more value: an alias stands for all of them."""
_COMMENT = re.compile(r"[ \t]+#")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


class Unreadable(Exception):
    """The rest of the file can't be read; never leaves ``source.py``."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A list or mapping being read.

    ``key`` is the key whose value comes next, ``kept`` whether that value enters the mapping (a
    duplicate's doesn't); ``as_key`` marks one that stands where a key should.
    """

    node: Node
    is_mapping: bool
    anchor: str | None
    as_key: bool = False
    key: str | None = None
    kept: bool = True


class Composer:
    """Builds nodes from the parser's events, without recursion, within limits."""

    def __init__(self, lines: Lines, *, depth: int, nodes: int) -> None:
        self.lines = lines
        self.problems: list[Problem] = []
        self._deepest = depth
        self._most = nodes
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._root: Node | None = None
        self._size = 0

    def compose(self, text: str) -> Node:
        """The root of the one document in ``text``."""
        documents = 0
        for event in self._events(text):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    remedy = "one file holds one document: take out `---`"
                    raise self._fatal("yaml.documents", "a second document begins", event, remedy)
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self._begin(event)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._end()
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
        if self._root is None or self._root.data is None:
            place = Place(1, 1)
            raise Unreadable(self.lines.problem("yaml.empty", "the file is empty", place))
        return self._root

    def _events(self, text: str) -> Iterator[yaml.Event]:
        """The parser's events; its errors as our problems."""
        try:
            yield from yaml.parse(text, Loader=_Parser)
        except yaml.MarkedYAMLError as error:
            raise Unreadable(self._syntax_problem(error)) from None
        except (yaml.YAMLError, ValueError, RecursionError):
            message = "this isn't YAML"
            raise Unreadable(self.lines.problem("yaml.syntax", message, Place(1, 1))) from None

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        place = _place(event)
        style = event.style or "plain"
        if self._key_comes():
            self._key(event.value, style, place, event)
            return
        node = Node(event.value, place, style=style, size=1 + len(event.value) // _LONG)
        if event.tag is not None:
            self._refuse_tag(event, node)
        elif event.anchor is not None and style == "plain" and not event.value:
            self._refuse_lone_anchor(event, node)
        elif style == "plain":
            self._resolve(node, event)
        elif style == '"' and (found := _NO_TEXT.search(event.value)):
            message = f"the escape for U+{ord(found.group()):04X} stands for no text"
            self._problem("yaml.character", message, place, "take it out")
            node.data, node.broken = "", True
        self._keep_anchor(event.anchor, node)
        self._add(node, node.size)

    def _resolve(self, node: Node, event: yaml.ScalarEvent) -> None:
        text = event.value
        try:
            node.data = scalars.resolve(text)
        except ValueError as error:
            shown = text if len(text) <= 40 else text[:37] + "..."
            remedy = f'as text write it in quotes: "{shown}"'
            self._problem("yaml.number", str(error), node.place, remedy)
            node.broken = True
        end = event.end_mark
        if end is not None:
            node.commented = bool(_COMMENT.match(self.lines.raw(end.line + 1), end.column))

    def _key(self, name: str, style: str, place: Place, event: yaml.ScalarEvent) -> None:
        top = self._open[-1]
        top.key, top.kept = name, True
        if event.tag is not None:
            self._refuse_tag(event, top.node)
        elif style == "plain" and name == "<<":
            remedy = "write the keys out where they are meant"
            self._problem("yaml.merge_key", "merge keys (`<<`) aren't read here", place, remedy)
            top.kept, top.node.broken = False, True
        elif style == "plain" and name == "":
            self._problem("yaml.key", "a key is missing here", place, "write `key: value`")
            top.kept, top.node.broken = False, True
        elif name in top.node.keys:
            first = top.node.keys[name].line
            message = f"the key {quoted(name)} stands twice; the first is in line {first}"
            self._problem("yaml.duplicate_key", message, place, "keep one of them")
            top.kept, top.node.items[name].broken = False, True
        else:
            top.node.keys[name] = place
        self._keep_anchor(event.anchor, Node(name, place, style=style))
        self._count(1, event)

    def _begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._check_depth(len(self._open) + 1, event)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        node = Node({} if is_mapping else [], _place(event), height=1)
        if event.tag is not None:
            self._refuse_tag(event, node)
        as_key = self._key_comes()
        if as_key:
            self._complex_key(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._count(1, event)
        self._open.append(_Open(node, is_mapping, event.anchor, as_key))

    def _end(self) -> None:
        closed = self._open.pop()
        self._keep_anchor(closed.anchor, closed.node)
        if closed.as_key:
            top = self._open[-1]
            top.key, top.kept = "", False
        else:
            self._add(closed.node, 0)

    def _alias(self, event: yaml.AliasEvent) -> None:
        place = _place(event)
        if self._key_comes():
            self._complex_key(event)
            self._open[-1].key, self._open[-1].kept = "", False
            return
        target = self._anchors.get(event.anchor or "")
        if target is None:
            self._refuse_alias(event, place)
            self._add(Node("", place, broken=True), 1)
            return
        self._count(target.size, event)
        self._check_depth(len(self._open) + target.height, event)
        self._add(replace(target, place=place), 0)

    def _refuse_alias(self, event: yaml.AliasEvent, place: Place) -> None:
        """Report an alias without its anchor: mostly text that begins with ``*``."""
        trap = yaml_traps.explain(self.lines.raw(place.line), place.column)
        if event.anchor in self._anchors:
            message = f"the alias `*{event.anchor}` stands inside what it stands for"
            self._problem("yaml.alias", message, place)
        elif trap and trap.column == place.column and not trap.alone:
            self._problem(trap.code, trap.message, place, trap.remedy)
        else:
            message = f"no anchor `&{event.anchor}` stands before the alias `*{event.anchor}`"
            self._problem("yaml.alias", message, place, trap.remedy if trap else "")

    def _key_comes(self) -> bool:
        return bool(self._open) and self._open[-1].is_mapping and self._open[-1].key is None

    def _add(self, node: Node, size: int) -> None:
        """Put a finished node into what holds it."""
        self._size += size
        if not self._open:
            self._root = node
            return
        top = self._open[-1]
        top.node.size += node.size
        top.node.height = max(top.node.height, 1 + node.height)
        if isinstance(top.node.data, list):
            top.node.items[len(top.node.data)] = node
            top.node.data.append(node.data)
        elif isinstance(top.node.data, dict) and top.key is not None:
            if top.kept:
                top.node.items[top.key] = node
                top.node.data[top.key] = node.data
            top.key = None
        if self._size > self._most:
            raise self._too_many(node.place)

    def _check_depth(self, depth: int, event: yaml.Event) -> None:
        if depth > self._deepest:
            message = f"nested deeper than {self._deepest} levels"
            remedy = "lift the inner steps out of the outer"
            raise self._fatal("yaml.too_deep", message, event, remedy)

    def _count(self, size: int, event: yaml.Event) -> None:
        self._size += size
        if self._size > self._most:
            raise self._too_many(_place(event))

    def _keep_anchor(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _complex_key(self, event: yaml.Event) -> None:
        """Report a list, mapping or alias where a key should be: mostly an unquoted ``{{``."""
        if any(open_.node.broken for open_ in self._open):
            return
        place = _place(event)
        trap = yaml_traps.explain(self.lines.raw(place.line), place.column)
        if trap:
            self._problem(trap.code, trap.message, Place(place.line, trap.column), trap.remedy)
        else:
            self._problem("yaml.complex_key", "a key must be text", place, "write `key: value`")
        self._open[-1].node.broken = True

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, node: Node) -> None:
        place = _place(event)
        trap = yaml_traps.explain(self.lines.raw(place.line), place.column)
        if trap:
            self._problem("yaml.tag", trap.message, Place(place.line, trap.column), trap.remedy)
        else:
            remedy = "take the tag out; quote the value if it begins with `!`"
            self._problem("yaml.tag", f"YAML tags aren't read here: {event.tag}", place, remedy)
        node.broken = True

    def _refuse_lone_anchor(self, event: yaml.ScalarEvent, node: Node) -> None:
        """Report an anchor with nothing behind it: text that begins with ``&``."""
        trap = yaml_traps.explain(self.lines.raw(node.place.line), node.place.column)
        message = trap.message if trap else f"the anchor `&{event.anchor}` holds nothing"
        remedy = trap.remedy if trap else "take it out"
        self._problem("yaml.quote", message, node.place, remedy)
        node.data, node.broken = None, True

    def _problem(self, code: str, message: str, place: Place, remedy: str = "") -> None:
        problem = self.lines.problem(code, message, place, remedy)
        if len(self.problems) >= MOST_PROBLEMS:
            raise Unreadable(problem)
        self.problems.append(problem)

    def _fatal(self, code: str, message: str, event: yaml.Event, remedy: str) -> Unreadable:
        return Unreadable(self.lines.problem(code, message, _place(event), remedy))

    def fatal_problems(self, fatal: Unreadable) -> list[Problem]:
        """Every problem of a file that can't be read on; ``fatal`` unless another caused it."""
        inside = any(open_.node.broken for open_ in self._open)
        same_line = any(problem.line == fatal.problem.line for problem in self.problems)
        follows = same_line or (inside and bool(self.problems))
        return self.problems if follows else [*self.problems, fatal.problem]

    def _too_many(self, place: Place) -> Unreadable:
        message = f"more than {self._most} values, those that aliases stand for included"
        return Unreadable(
            self.lines.problem("yaml.too_many_nodes", message, place, "split the file")
        )

    def _syntax_problem(self, error: yaml.MarkedYAMLError) -> Problem:
        marks = [mark for mark in (error.problem_mark, error.context_mark) if mark is not None]
        places = [Place(mark.line + 1, mark.column + 1) for mark in marks] or [Place(1, 1)]
        return syntax_problem(self.lines, places, error.problem or "")


def _place(event: yaml.Event) -> Place:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:
        return Place(1, 1)
    length = end.column - start.column if end.line == start.line else 0
    return Place(start.line + 1, start.column + 1, length)
