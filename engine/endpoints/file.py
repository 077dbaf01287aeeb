"""Endpoints, auth profiles, contact policy and the catalogue as a file: ``journey apply`` stores
it, simulation reads its terms, ``journey check`` its names.

The file can live in git, since it never holds a secret: secret fields say where their value comes
from. Every problem is found at once, each with line and column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from engine.core.dsl import catalogue
from engine.core.dsl.catalogue import Catalogue, read_catalogue
from engine.core.dsl.contact_policy import ContactPolicy
from engine.core.dsl.document import Document, Node, Path
from engine.core.dsl.literal_secrets import is_credential_header, looks_secret
from engine.core.dsl.model_problems import findings
from engine.core.dsl.problems import Place, did_you_mean, in_file_order, one_of, quoted
from engine.core.dsl.source import compose
from engine.credentials.wording import CLIENT_CERTIFICATE, THREE_WAYS
from engine.endpoints.model import NO_AUTH, Endpoint
from engine.errors import DefinitionError, Problem

if TYPE_CHECKING:
    from engine.credentials.kinds.base import AuthKind
    from engine.credentials.kinds.registry import FieldProblem
    from engine.wire.egress import Egress

POLICY = "contact_policy"
SECTIONS = ("auth_profiles", "endpoints", POLICY, *catalogue.SECTIONS)
NO_POLICY = "none"
"""What a file says in place of a contact policy that is to hold no more."""


@dataclass(slots=True, frozen=True)
class WrittenProfile:
    """An auth profile of the file; ``inline`` for one that stands inside its endpoint."""

    name: str
    kind: AuthKind
    inline: bool
    path: Path


@dataclass(slots=True, frozen=True)
class WrittenEndpoint:
    """An endpoint of the file. The profile of an ``inline`` one has the endpoint's name."""

    endpoint: Endpoint
    inline: bool
    path: Path


@dataclass(slots=True)
class EndpointsFile:
    """What a file says, in its order; ``document`` knows where everything stands. A file with
    ``no_policy`` says that no contact policy is to hold.
    """

    document: Document
    profiles: list[WrittenProfile] = field(default_factory=list)
    endpoints: list[WrittenEndpoint] = field(default_factory=list)
    catalogue: Catalogue = field(default_factory=Catalogue)
    contact_policy: ContactPolicy | None = None
    no_policy: bool = False


def read_file(
    source: bytes, file: str, *, egress: Egress | None = None, profiles: bool = True
) -> EndpointsFile:
    """Read an apply file. ``file`` is its name in messages; ``egress`` says which token servers may
    be plain http besides loopback. Without ``profiles`` auth profiles are passed over, whatever
    they say. Raises DefinitionError with every problem, in file order.
    """
    document = compose(source, file)
    reader = _Reader(document, egress, profiles=profiles)
    reader.read()
    problems = [*document.problems, *reader.problems]
    if problems:
        raise DefinitionError(file, in_file_order(problems))
    return reader.found


class _Reader:
    """Goes through a document once and gathers what it says and every problem."""

    def __init__(self, document: Document, egress: Egress | None, *, profiles: bool) -> None:
        self._document = document
        self._egress = egress
        self._profiles = profiles
        self.found = EndpointsFile(document)
        self.problems: list[Problem] = []

    def read(self) -> None:
        """Fill ``found`` and ``problems``."""
        root = self._document.root
        if not isinstance(root.data, dict):
            self._problem("file.shape", "this file must be a mapping", (), one_of(SECTIONS))
            return
        self._check_sections(root)
        self.problems += _literal_secrets(self._document)
        for name, node in self._section("auth_profiles"):
            self._profile(name, node, ("auth_profiles", name))
        for name, node in self._section("endpoints"):
            self._endpoint(name, node, ("endpoints", name))
        self.found.catalogue, problems = read_catalogue(self._document)
        self.problems += problems
        self._policy(root)

    def _check_sections(self, root: Node) -> None:
        for key in root.keys:
            if key not in SECTIONS:
                remedy = did_you_mean(key, SECTIONS) or one_of(SECTIONS)
                self._problem("key.unknown", f"unknown key {quoted(key)}", (key,), remedy)
        if not any(key in root.keys for key in SECTIONS) and not self.problems:
            self._problem("file.empty", "this file says nothing", (), one_of(SECTIONS))

    def _section(self, section: str) -> Iterator[tuple[str, Node]]:
        node = self._document.root.items.get(section)
        if node is None or node.broken:
            return
        if not isinstance(node.data, dict):
            message = f"`{section}` is a mapping of names to settings"
            self._problem("value.type", message, (section,), "as in `NAME: {...}`")
            return
        for name, below in node.items.items():
            if below.broken:
                continue
            if not isinstance(below.data, dict):
                path = (section, name)
                self._problem("value.type", f"{quoted(name)} must be a mapping", path, "key: value")
                continue
            yield str(name), below

    def _profile(self, name: str, node: Node, path: Path, *, inline: bool = False) -> None:
        if not self._profiles:
            return
        # Who reads no profile does without their kinds, which take a while to load.
        from engine.credentials.kinds.registry import (  # noqa: PLC0415
            profile_name_problem,
            read_profile,
        )

        problem = None if inline else profile_name_problem(name)
        if name == NO_AUTH:
            problem = f"`{NO_AUTH}` means no authentication; give the profile another name"
        if problem is not None:
            self._problem("name.profile", problem, path)
        known = {profile.name for profile in self.found.profiles}
        if inline and name in known:
            message = f"an auth profile is called {quoted(name)}, and so is this endpoint's own"
            self._problem("name.profile", message, path, "name the profile here, or rename it")
        literal = list(_literal_pairs(self._document, path, node))
        self.problems += literal
        read = read_profile(node.data, egress=self._egress)  # type: ignore[arg-type]
        if isinstance(read, tuple):
            if not literal:
                self.problems += [_field_problem(self._document, path, each) for each in read]
            return
        self.found.profiles.append(WrittenProfile(name, read, inline, path))

    def _endpoint(self, name: str, node: Node, path: Path) -> None:
        written: dict[str, Any] = dict(node.data)  # type: ignore[call-overload]
        own = self._own_profile(written, node, path)
        inline = own is not None
        if own is not None:
            self._profile(name, own, (*path, "auth"), inline=True)
            written["auth"] = name
        if "name" in written:
            message = "an endpoint's name is the key it stands under"
            self._problem("key.unknown", message, (*path, "name"), "leave it out")
        elif "base_url" not in written:
            message = f"`base_url` is missing at endpoint {quoted(name)}"
            self._problem("key.missing", message, path, "add `base_url: https://...`")
        else:
            self._take(Written(written | {"name": name}, node), inline, path)

    def _own_profile(self, written: dict[str, Any], node: Node, path: Path) -> Node | None:
        """The profile that stands in the endpoint itself, if one does; a client certificate under
        ``network`` is part of it, and is taken out of ``written``.
        """
        auth = written.get("auth", NO_AUTH)
        own = node.items["auth"] if isinstance(auth, dict) else None
        network = written.get("network")
        if not isinstance(network, dict) or network.get(CLIENT_CERTIFICATE) is None:
            return own
        written["network"] = {k: v for k, v in network.items() if k != CLIENT_CERTIFICATE}
        if own is None and auth != NO_AUTH:
            message = f"what is shown with {quoted(str(auth))} stands in that auth profile"
            remedy = f"write `{CLIENT_CERTIFICATE}` there"
            where = (*path, "network", CLIENT_CERTIFICATE)
            self._problem("client_certificate.elsewhere", message, where, remedy)
            return None
        own = own or Node({"kind": NO_AUTH}, node.place)
        return replace(own, data={**own.data, CLIENT_CERTIFICATE: network[CLIENT_CERTIFICATE]})  # type: ignore[dict-item]

    def _take(self, written: Written, inline: bool, path: Path) -> None:
        try:
            endpoint = Endpoint.model_validate(written.data)
        except ValidationError as error:
            below = Document(self._document.file, written.node, self._document.lines)
            details = error.errors(include_url=False)
            self.problems += [found.problem for found in findings(below, details, Endpoint)]
        else:
            self.found.endpoints.append(WrittenEndpoint(endpoint, inline, path))

    def _policy(self, root: Node) -> None:
        node = root.items.get(POLICY)
        if node is None or node.broken:
            return
        if node.data == NO_POLICY:
            self.found.no_policy = True
            return
        if node.data is None:
            remedy = f"write it below, or `{NO_POLICY}` to remove the one that is stored"
            self._problem("value.type", f"`{POLICY}` says nothing", (POLICY,), remedy)
            return
        below = Document(self._document.file, node, self._document.lines)
        try:
            self.found.contact_policy = ContactPolicy.model_validate(node.data)
        except ValidationError as error:
            details = error.errors(include_url=False)
            self.problems += [found.problem for found in findings(below, details, ContactPolicy)]

    def _problem(self, code: str, message: str, path: Path, remedy: str = "") -> None:
        place = self._document.key_place(path) if path else self._document.root.place
        self.problems.append(self._document.lines.problem(code, message, place, remedy))


@dataclass(slots=True, frozen=True)
class Written:
    """What stands under an endpoint's name, with the name, and where it stands."""

    data: dict[str, Any]
    node: Node


def _field_problem(document: Document, path: Path, problem: FieldProblem) -> Problem:
    place = document.place((*path, *problem.path))
    name = next((str(step) for step in reversed(problem.path) if isinstance(step, str)), "")
    literal = THREE_WAYS in problem.message
    code = "secret.literal" if literal and "may not stand" in problem.message else "profile.invalid"
    message = f"{name}: {problem.message}" if name else problem.message
    return document.lines.problem(code, message, place)


def _literal_pairs(document: Document, path: Path, node: Node) -> Iterator[Problem]:
    """Keys of an ``api_key`` that stand in the file. A pair may be plain (a tenant's name) beside
    a secret one, unless its name means a credential.
    """
    pairs = node.items.get("pairs")
    written = {
        index: pair.data
        for index, pair in (pairs.items if pairs else {}).items()
        if isinstance(pair.data, dict) and isinstance(pair.data.get("value"), str)
    }
    all_plain = pairs is not None and len(written) == len(pairs.items)
    places = [
        document.place((*path, "pairs", index, "value"))
        for index, pair in written.items()
        if all_plain or is_credential_header(str(pair.get("name")))
    ]
    for place in places:
        message = f"value: a secret may not stand in a file: {THREE_WAYS}"
        problem = document.lines.problem("secret.literal", message, place)
        yield replace(problem, text=_starred(problem.text, place.line, places))


def _starred(text: str, line: int, places: Iterable[Place]) -> str:
    """The text of ``line`` with what stands at ``places`` as ``*``."""
    for place in places:
        if place.line == line:
            start, end = place.column - 1, place.column - 1 + (place.length or len(text))
            text = text[:start] + "*" * len(text[start:end]) + text[end:]
    return text


def _literal_secrets(document: Document) -> Iterator[Problem]:
    """Whatever looks like a secret, wherever it stands."""
    waiting = [document.root]
    while waiting:
        node = waiting.pop()
        waiting.extend(node.items.values())
        what = looks_secret(node.data) if isinstance(node.data, str) else None
        if what is not None:
            yield document.lines.problem(
                "secret.literal",
                f"this looks like {what}: a secret may not stand in a file",
                node.place,
                THREE_WAYS,
            )
