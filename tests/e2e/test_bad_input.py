"""The clumsy and the hostile user: whatever is given, one clear word, the exit code, no trace."""

from __future__ import annotations

import os
import stat
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.databases import by_hand
from tests.e2e.in_process import InProcess
from tests.e2e.installation import Finished
from tests.partners import Answers, running

GOOD = """\
dsl: 1
journey: small
steps:
  - {id: greet, type: call_api, endpoint: api, path: "/greet/{{ user.id }}", body: {n: 1}}
"""
INPUTS = GOOD.replace("steps:", "entry: {inputs: {total: number}}\nsteps:")
SECRET = "sk_live_c4n4ry0123456789abcdefXYZ"
LIVE = ("--live", "--json")
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def api() -> Iterator[Answers]:
    with running(Answers()) as partner:
        yield partner


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, api: Answers) -> InProcess:
    """An installation that has run once. No test of this module may change what is in it."""
    installation = InProcess(tmp_path_factory.mktemp("here"), {"TOKEN": SECRET})
    installation.write("journey.yaml", GOOD)
    installation.write("with-inputs.yaml", INPUTS)
    installation.write("users.csv", "id,total\nu1,1\nu2,2\n")
    settings = (
        f"endpoints:\n  api: {{base_url: {api.url},"
        " auth: {kind: bearer, token: {seal_from_env: TOKEN}}}\n"
    )
    installation.write("endpoints.yaml", settings)
    for command in (
        ("journey", "apply", "endpoints.yaml"),
        ("run-journey", "journey.yaml", "--users", "users.csv", *LIVE),
    ):
        done = installation.call(*command)
        assert done.code == 0, done.err
    return installation


@pytest.fixture
def untouched(here: InProcess, api: Answers) -> Iterator[InProcess]:
    """The installation; afterwards it holds what it held, and nobody was called."""
    before, called = here.contents(), len(api.log)
    yield here
    assert here.contents() == before
    assert len(api.log) == called


def assert_said(done: Finished, code: int, *said: str, lines: int = 0) -> None:
    """The exit code, the words, in so many lines (0: one and more); no traceback, no secret."""
    assert done.code == code, done.out[-500:] + done.err
    assert done.out == ""
    assert done.err.strip()
    for each in said:
        assert each in done.err
    assert not lines or done.err.count("\n") == lines, done.err
    assert len(done.err) < 20_000, "bounded"
    assert "Traceback" not in done.err
    assert "bug in journey" not in done.err
    assert SECRET not in done.err


# --- journey files ---------------------------------------------------------------------------

BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)
JOURNEYS: list[tuple[str, bytes, int, tuple[str, ...]]] = [
    ("empty", b"", 3, ("bad.yaml:1:1: error: the file is empty",)),
    ("blank", b" \n\n", 3, ("the file is empty",)),
    ("binary", b"\x7fELF\x02\x01\x00\x00" * 500, 3, ("isn't a text file",)),
    ("latin-1", GOOD.encode() + b"# caf\xe9\n", 3, ("UTF-8",)),
    ("utf-16", GOOD.encode("utf-16"), 3, ("bad.yaml:1:",)),
    ("two megabytes", b"# " + b"x" * 2 * MIB, 3, ("larger than 1024 KiB",)),
    ("not a mapping", b"- just\n- a list\n", 3, ("begin with `dsl: 1`",)),
    ("users as journey", b"id,name\nu1,Ada\n", 3, ("bad.yaml:1:1",)),
    ("deep", b"[" * 30_000, 3, ("bad.yaml:1:", "deep")),
    ("an alias bomb", BOMB.encode(), 3, ("alias",)),
    (
        "merge keys",
        b"a: &a {x: 1}\n" + b"b: {<<: [" + b"*a, " * 5000 + b"*a]}\n",
        3,
        ("bad.yaml:",),
    ),
    ("a python tag", b"!!python/object/apply:os.system ['true']\n", 3, ("tag",)),
    ("two documents", GOOD.encode() + b"---\n" + GOOD.encode(), 3, ("document",)),
    ("a key twice", GOOD.encode() + b"journey: other\n", 3, ("bad.yaml:5:1", "journey")),
    ("a tab", b"dsl: 1\njourney: x\nsteps:\n\t- {id: a}\n", 3, ("bad.yaml:4:",)),
    ("an unknown key", GOOD.encode() + b"stpes: []\n", 3, ("bad.yaml:5:1", "stpes", "steps")),
    ("dsl 2", GOOD.replace("dsl: 1", "dsl: 2").encode(), 3, ("bad.yaml:1:6", "dsl")),
    ("a bad name", GOOD.replace("small", "Small!").encode(), 3, ("bad.yaml:2:10",)),
    (
        "an unknown step",
        GOOD.replace("call_api", "cal_api").encode(),
        3,
        ("bad.yaml:4:", "did you mean", "call_api"),
    ),
    ("an unknown name", GOOD.replace("user.id", "usr.id").encode(), 3, ("bad.yaml:4:", "usr")),
    (
        "a url",
        GOOD.replace("path:", 'url: "http://127.0.0.1", path:').encode(),
        3,
        ("bad.yaml:4:", "url"),
    ),
    (
        "a credential's header",
        GOOD.replace("body:", f"headers: {{Authorization: {SECRET}}}, body:").encode(),
        3,
        ("bad.yaml:4:", "journey auth"),
    ),
    (
        "a secret in a body",
        GOOD.replace("n: 1", f"n: {SECRET}").encode(),
        3,
        ("bad.yaml:4:", "secret"),
    ),
    (
        "a scenario",
        b"journey: small\nscenarios:\n  - {name: x, user: {id: u1}}\n",
        3,
        ("bad.yaml:2:1", "scenarios"),
    ),
    (
        "an apply file",
        b"endpoints:\n  api: {base_url: http://127.0.0.1}\n",
        3,
        ("bad.yaml:1:1", "endpoints"),
    ),
    (
        "an unknown endpoint",
        GOOD.replace("endpoint: api", "endpoint: apo").encode(),
        4,
        ("small", "apo", "step greet", "journey apply"),
    ),
]


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [pytest.param(*case[1:], id=case[0]) for case in JOURNEYS],
)
def test_a_bad_journey_is_refused_in_words_and_leaves_no_trace(
    untouched: InProcess, content: bytes, code: int, said: tuple[str, ...]
) -> None:
    (untouched.folder / "bad.yaml").write_bytes(content)
    assert_said(untouched.call("run-journey", "bad.yaml", "--user", "x", *LIVE), code, *said)
    if code == 3:
        assert_said(untouched.call("run-journey", "bad.yaml"), code, *said)
        checked = untouched.call("journey", "check", "bad.yaml")
        assert_said(Finished(checked.code, "", checked.out), 3, *said)


def _no_file(_: Path) -> None: ...


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


PLACES = [_no_file, _folder, _pipe, _loop, _device]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__.strip("_"))
def test_what_is_no_file_is_refused_in_one_line(
    untouched: InProcess, tmp_path: Path, place: Callable[[Path], None]
) -> None:
    path = tmp_path / "odd"
    place(path)
    commands: list[tuple[str | Path, ...]] = [
        ("run-journey", path),
        ("run-journey", path, "--user", "x", *LIVE),
        ("journey", "apply", path),
        ("run-journey", "journey.yaml", "--endpoints", path),
    ]
    if place is not _pipe:  # a pipe brings users, once somebody writes into it
        commands.append(("run-journey", "journey.yaml", "--users", path, *LIVE))
    for command in commands:
        assert_said(untouched.call(*command), 2, "can't read", "odd", lines=1)


def test_a_journey_as_a_windows_editor_saves_it_is_read(untouched: InProcess) -> None:
    text = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    (untouched.folder / "crlf.yaml").write_bytes(text)
    assert untouched.call("run-journey", "crlf.yaml").code == 0


@pytest.mark.parametrize("command", ["run-journey", "apply"])
def test_a_hundred_megabytes_are_refused_at_once_and_not_read(
    untouched: InProcess, tmp_path: Path, command: str
) -> None:
    large = tmp_path / "large.yaml"
    with large.open("wb") as file:
        for _ in range(100):
            file.write(b"- x\n" * (MIB // 4))
    untouched.call("journey", "check", "journey.yaml")  # what is imported once isn't counted
    words = ("journey", "apply", large) if command == "apply" else ("run-journey", large)
    began = time.thread_time()
    tracemalloc.start()
    try:
        assert_said(untouched.call(*words), 3, "larger than 1024 KiB")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.thread_time() - began < 1
    assert peak < 8 * MIB


# --- apply files -----------------------------------------------------------------------------

URL = "http://127.0.0.1"
APPLIES: list[tuple[str, str, int, tuple[str, ...]]] = [
    ("empty", "", 3, ("bad.yaml:1:1: error: the file is empty",)),
    ("deep", "[" * 30_000, 3, ("bad.yaml:1:",)),
    ("an alias bomb", BOMB, 3, ("alias",)),
    ("a journey", GOOD, 3, ("bad.yaml:1:1", "dsl")),
    ("an unknown key", f"endpoints: {{a: {{base_ulr: '{URL}'}}}}", 3, ("base_ulr", "base_url")),
    ("no url", "endpoints: {a: {}}", 3, ("bad.yaml:1:", "base_url")),
    ("a file's url", "endpoints: {a: {base_url: 'file:///etc/passwd'}}", 3, ("bad.yaml:1:",)),
    ("a password in the url", f"endpoints: {{a: {{base_url: 'http://u:{SECRET}@h'}}}}", 3, ("1:",)),
    (
        "a literal secret",
        f"auth_profiles: {{p: {{kind: bearer, token: {SECRET}}}}}",
        3,
        ("bad.yaml:1:", "seal_from_env"),
    ),
    (
        "a credential's header",
        f"endpoints: {{a: {{base_url: '{URL}', headers: {{Authorization: Bearer {SECRET}}}}}}}",
        3,
        ("bad.yaml:1:", "auth"),
    ),
    ("an unknown kind", "auth_profiles: {p: {kind: bearrer}}", 3, ("bearer",)),
    (
        "an unknown profile",
        f"endpoints: {{a: {{base_url: '{URL}', auth: nobody}}}}",
        3,
        ("nobody",),
    ),
    (
        "an unset variable",
        "auth_profiles: {p: {kind: bearer, token: {seal_from_env: NOT_SET}}}",
        2,
        ("NOT_SET", "isn't set"),
    ),
    (
        "the engine's own key",
        "auth_profiles: {p: {kind: bearer, token: {env: JOURNEY_KEK}}}",
        3,
        ("JOURNEY_*",),
    ),
    (
        "a file outside",
        "auth_profiles: {p: {kind: bearer, token: {file: ../../../etc/passwd}}}",
        3,
        ("JOURNEY_SECRET_DIRS",),
    ),
]


@pytest.mark.parametrize(
    ("content", "code", "said"), [pytest.param(*case[1:], id=case[0]) for case in APPLIES]
)
def test_a_bad_apply_file_changes_nothing_not_even_what_was_right_in_it(
    untouched: InProcess, content: str, code: int, said: tuple[str, ...]
) -> None:
    good = f"  fine: {{base_url: '{URL}'}}\n"
    untouched.write("bad.yaml", content)
    assert_said(untouched.call("journey", "apply", "bad.yaml"), code, *said)
    if content.startswith("auth_profiles:"):
        untouched.write("bad.yaml", f"{content}\nendpoints:\n{good}")
        assert_said(untouched.call("journey", "apply", "bad.yaml"), code, *said)


# --- users -----------------------------------------------------------------------------------

USERS: list[tuple[str, bytes, tuple[str, ...]]] = [
    ("empty", b"", ("it is empty",)),
    ("only a header", b"id,total\n", ("no users",)),
    ("no id column", b"name,total\nAda,1\n", ("bad.csv:1: no column is called 'id'",)),
    ("no header", b"u1,1\nu2,2\n", ("bad.csv:1: no column is called 'id'",)),
    ("an id twice", b"id,total\nu1,1\nu2,2\nu1,3\n", ("bad.csv:4:", "'u1'", "line 2")),
    ("no zone", b"id,total,timezone\nu1,1,Europe/Berlim\n", ("bad.csv:2:", "Europe/Berlin")),
    ("no input column", b"id,x\nu1,1\n", ("bad.csv:1:", "'total'")),
    ("an input missing", b"id,total\nu1,1\nu2,\n", ("bad.csv:3:", "'total'")),
    ("an input's type", b"id,total\nu1,1\nu2,many\n", ("bad.csv:3:", "a number")),
    ("a short row", b"id,total\nu1\n", ("bad.csv:2:", "1 field")),
    ("no id", b"id,total\n,1\n", ("bad.csv:2:", "no id")),
    ("an escape", b"id,total\n\x1b[2Ju1,1\n", ("bad.csv:2:", "control character", "\\x1b")),
    ("binary", b"\x7fELF\x00\x01\x02", ("isn't text in UTF-8",)),
    ("utf-16", "id,total\nu1,1\n".encode("utf-16"), ("isn't text in UTF-8",)),
    ("latin-1", b"id,total,name\nu1,1,Ren\xe9\n", ("bad.csv:2:", "UTF-8")),
    ("an open quote", b'id,total,x\nu1,1,"\nu2,2,\n', ("bad.csv:2:", "quote")),
    ("garbage", b'{"id": "u1", "inputs": {"total": 1}}\n{"id"\n', ("bad.csv:2:", "JSON")),
    ("NaN", b'{"id": "u1", "inputs": {"total": NaN}}\n', ("bad.csv:1:", "NaN")),
    ("a number as id", b'{"id": 7, "inputs": {"total": 1}}\n', ("bad.csv:1:", "quotes")),
    ("half a surrogate", b'{"id": "\\ud800", "inputs": {"total": 1}}\n', ("bad.csv:1:",)),
    ("deep", b'{"id": "u1", "attributes": ' + b"[" * 100_000, ("bad.csv:1:",)),
]


@pytest.mark.parametrize(
    ("content", "said"), [pytest.param(*case[1:], id=case[0]) for case in USERS]
)
@pytest.mark.parametrize("mode", [("--simulate",), LIVE], ids=["simulated", "live"])
def test_bad_users_are_named_by_line_before_anybody_enters(
    untouched: InProcess, content: bytes, said: tuple[str, ...], mode: tuple[str, ...]
) -> None:
    name = "bad.jsonl" if content.startswith(b"{") else "bad.csv"
    (untouched.folder / name).write_bytes(content)
    done = untouched.call("run-journey", "with-inputs.yaml", "--users", name, *mode)
    assert_said(done, 2, *(each.replace("bad.csv", name) for each in said))
    piped = untouched.call("run-journey", "with-inputs.yaml", "--users", "-", *mode, stdin=content)
    assert_said(piped, 2, *(each.replace("bad.csv", "standard input") for each in said))


def test_skip_bad_leaves_bad_rows_out_and_says_how_many(untouched: InProcess) -> None:
    rows = "id,total\nu1,1\nu2,many\nu1,3\n,4\nu5,5\n"
    untouched.write("some.csv", rows)
    command = ("run-journey", "with-inputs.yaml", "--users", "some.csv", "--skip-bad", "--json")
    done = untouched.call(*command)
    assert done.code == 0
    assert (done.summary["entered"], "3 bad rows left out" in done.err) == (2, True)
    assert "line 3" in done.err


@pytest.mark.parametrize(
    "size", [64 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.soak)], ids=["64MiB", "1GiB"]
)
@pytest.mark.parametrize("head", [b"", b"id,total\nu1,1\n"], ids=["zeros", "users first"])
def test_a_file_of_zeros_is_refused_without_being_held(
    untouched: InProcess, tmp_path: Path, size: int, head: bytes
) -> None:
    hole = tmp_path / "hole.csv"
    hole.write_bytes(head)
    os.truncate(hole, size)
    tracemalloc.start()
    try:
        done = untouched.call("run-journey", "with-inputs.yaml", "--users", hole, *LIVE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert_said(done, 2, "hole.csv")
    assert peak < 16 * MIB


# --- command lines ---------------------------------------------------------------------------

RUN = ("run-journey", "journey.yaml")
ONE = (*RUN, "--user", "x")
COMMANDS: list[tuple[tuple[str, ...], int, tuple[str, ...]]] = [
    (("run-journey",), 2, ("FILE", "run-journey --help")),
    ((*RUN, "--usr", "x"), 2, ("'--usr'", "'--user'")),
    ((*RUN, "other.yaml"), 2, ("other.yaml",)),
    ((*RUN, "--user"), 2, ("--user",)),
    ((*RUN, "--users", "users.csv", "--user", "u1"), 2, ("exclude each other",)),
    ((*RUN, "--users", "users.csv", "--set", "a=1"), 2, ("--set",)),
    ((*RUN, "--skip-bad"), 2, ("--skip-bad goes with --users",)),
    ((*RUN, "--live"), 2, ("--live needs users",)),
    ((*ONE, *LIVE, "--answer", "api=200"), 2, ("--answer goes with --simulate",)),
    ((*ONE, *LIVE, "--endpoints", "endpoints.yaml"), 2, ("--endpoints goes with --simulate",)),
    ((*RUN, "--again"), 2, ("--again goes with --live",)),
    ((*RUN, "--database", "x.db"), 2, ("--database goes with --live",)),
    ((*RUN, "--fail-on", "nver"), 2, ("never",)),
    ((*RUN, "--now", "tomorrow"), 2, ("'tomorrow'", "ISO 8601")),
    ((*RUN, "--now", "2026-02-30"), 2, ("ISO 8601",)),
    ((*RUN, "--now", "99999-01-01"), 2, ("ISO 8601",)),
    ((*RUN, "--for", "soon"), 2, ("'soon'", "PT45M")),
    ((*RUN, "--for", "-P1D"), 2, ("sign",)),
    ((*RUN, "--for", "P99999999Y"), 2, ("100 years",)),
    ((*RUN, "--answer", "api"), 2, ("ENDPOINT=STATUS",)),
    ((*RUN, "--answer", "api=999"), 2, ("'999'",)),
    ((*RUN, "--answer", "apu=200"), 2, ("did you mean 'api'",)),
    ((*ONE, "--set", "tier"), 2, ("write NAME=VALUE",)),
    ((*ONE, "--set", "=1"), 2, ("write NAME=VALUE",)),
    ((*ONE, "--set", "a=1", "--set", "a=2"), 2, ("stands twice",)),
    ((*ONE, "--set", "id=y"), 2, ("use --user ID",)),
    ((*ONE, "--set", "timezone=Mars/Base"), 2, ("'Mars/Base' is unknown",)),
    ((*ONE, "--input", "a=1"), 2, ("no input 'a'",)),
    (("run-journey", "with-inputs.yaml", "--user", "x"), 2, ("'total'",)),
    ((*RUN, "--user", ""), 2, ("no id",)),
    ((*RUN, "--user", "a\nb"), 2, ("control character",)),
    ((*RUN, "--user", "x" * 300), 2, ("255",)),
    ((*RUN, "--user", "\udcff", *LIVE), 2, ("UTF-8",)),
    ((*ONE, "--set", "\udcff=1", *LIVE), 2, ("UTF-8",)),
    (("journey", "aply"), 2, ("did you mean 'apply'",)),
    (("journey", "--bogus"), 2, ("'--bogus'",)),
    (("journey", "auth", "rotat"), 2, ("rotate",)),
    (("journey", "endpoints", "show", "apo"), 2, ("did you mean `api`",)),
    (("journey", "auth", "show", "apo"), 2, ("no auth profile apo",)),
    (("journey", "auth", "delete", "api"), 2, ("endpoint",)),
    (("journey", "report", "smal"), 2, ("'smal'", "small")),
    (("journey", "report", "small", "--run", "7"), 2, ("7",)),
    (("journey", "report", "small", "--run", "x"), 2, ("'x'",)),
]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [pytest.param(*case, id=ascii(" ".join(case[0]))[1:60]) for case in COMMANDS],
)
def test_a_slip_on_the_command_line_is_answered_in_one_line(
    untouched: InProcess, command: tuple[str, ...], code: int, said: tuple[str, ...]
) -> None:
    done = untouched.call(*command)
    assert_said(done, code, *said)
    assert done.err.startswith("error: ")
    assert done.err.splitlines()[0] == done.err.rstrip("\n") or "--force" in done.err


# --- databases -------------------------------------------------------------------------------

ON_A_DATABASE = [
    ("run-journey", "journey.yaml", "--live", "--user", "x"),
    ("journey", "apply", "endpoints.yaml"),
    ("journey", "report", "small"),
    ("journey", "auth", "list"),
    ("journey", "migrate"),
]
URLS = [
    ("postgresql://u:{secret}@127.0.0.1:1/db", 5, "postgresql://u@127.0.0.1:1/db can't be"),
    ("postgres://127.0.0.1", 78, "names no database"),
    ("postgresql+asyncpg://127.0.0.1/db", 78, "'postgresql+asyncpg'"),
    ("mysql://u:{secret}@127.0.0.1/db", 78, "'mysql'"),
    ("://", 78, "can't be read"),
    ("sqlite://", 78, "names no file"),
    ("sqlite:///", 78, "names no file"),
    ("sqlite:///:memory:", 78, "names no file"),
    (":memory:", 78, "names no file"),
    ("sqlite:///x.db?mode=ro", 78, "a path and nothing else"),
    ("file:x.db", 78, "a path and nothing else"),
    ("sqlite:///{folder}", 5, "it is a folder"),
    ("sqlite:///{folder}/pipe", 5, "no regular file"),
    ("sqlite:////dev/zero", 5, "no regular file"),
    ("sqlite:///{folder}/loop", 5, "loop"),
    ("sqlite:////dev/null/x/engine.db", 5, "/dev/null/x/engine.db"),
    ("sqlite:///journey.yaml", 78, "is not a database"),
]


@pytest.mark.parametrize(("url", "code", "said"), URLS, ids=[url for url, *_ in URLS])
def test_a_database_that_can_be_none_is_refused_in_one_line_and_nothing_is_made(
    untouched: InProcess, tmp_path: Path, url: str, code: int, said: str
) -> None:
    _pipe(tmp_path / "pipe")
    _loop(tmp_path / "loop")
    given = url.format(secret=SECRET, folder=tmp_path)
    before = sorted(untouched.folder.iterdir())
    for command in ON_A_DATABASE:
        assert_said(untouched.call(*command, "--database", given), code, said, lines=1)
        variable = untouched.call(*command, environment={"JOURNEY_DATABASE_URL": given})
        assert_said(variable, code, said, lines=1)
    assert sorted(untouched.folder.iterdir()) == before


def _altered(statement: str) -> Callable[[Path], None]:
    def alter(database: Path) -> None:
        with by_hand(database) as connection:
            connection.execute(statement)

    return alter


def _foreign(database: Path) -> None:
    database.unlink()
    _altered("CREATE TABLE letters (text)")(database)


def _cut(size: int) -> Callable[[Path], None]:
    return lambda database: os.truncate(database, size)


def _damaged(database: Path) -> None:
    content = database.read_bytes()
    database.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


DAMAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("a letter", lambda database: database.write_text("Dear aunt, " * 500), "not a"),
    ("foreign", _foreign, "another program"),
    ("newer", _altered("UPDATE alembic_version SET version_num = '9999'"), "newer"),
    ("no version", _altered("DELETE FROM alembic_version"), "which version"),
    ("cut to nothing", _cut(0), "is empty now"),
    ("cut in the header", _cut(50), "damaged"),
    ("cut in half", _cut(61_440), "damaged"),
    ("pages overwritten", _damaged, "damaged"),
]


@pytest.mark.parametrize(
    ("damage", "said"), [pytest.param(*case[1:], id=case[0]) for case in DAMAGES]
)
def test_a_database_that_is_not_ours_or_not_whole_is_left_as_it_is(
    here: InProcess, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    there = InProcess(tmp_path, {"TOKEN": SECRET})
    (tmp_path / "home").mkdir()
    for file in ("journey.yaml", "endpoints.yaml"):
        there.write(file, (here.folder / file).read_text())
    there.database.write_bytes(here.database.read_bytes())
    for beside in (".worker", "kek"):
        name = f"engine.db{beside}" if beside.startswith(".") else beside
        (tmp_path / "home" / name).write_bytes((here.folder / "home" / name).read_bytes())
    (tmp_path / "home" / "kek").chmod(0o600)
    damage(there.database)
    before = there.database.read_bytes()
    for command in ON_A_DATABASE:
        done = there.call(*command)
        assert_said(done, 78, str(there.database), said, lines=1)
    assert there.database.read_bytes() == before


def test_a_lost_database_is_not_replaced_by_commands_that_only_read(tmp_path: Path) -> None:
    there = InProcess(tmp_path)
    for command in (
        ("journey", "auth", "list"),
        ("journey", "report", "x"),
        ("journey", "migrate"),
    ):
        assert_said(there.call(*command), 5, "no database", lines=1)
    assert list(tmp_path.iterdir()) == []


# --- the key ---------------------------------------------------------------------------------


def _folder_instead(kek: Path) -> None:
    kek.unlink()
    kek.mkdir()


KEYS: list[tuple[str, Callable[[Path], object], dict[str, str], str]] = [
    ("removed", lambda kek: kek.unlink(), {}, "key is missing"),
    ("changed", lambda kek: kek.write_text("ab" * 32), {}, "doesn't open"),
    ("emptied", lambda kek: kek.write_text(""), {}, "32 bytes"),
    ("garbled", lambda kek: kek.write_bytes(b"\xff\x00\x1b[2J"), {}, "32 bytes"),
    ("readable by others", lambda kek: kek.chmod(0o640), {}, "chmod 600"),
    ("a folder", _folder_instead, {}, "can't be read"),
    ("a wrong variable", lambda _: None, {"JOURNEY_KEK": "cd" * 32}, "doesn't open"),
    ("a garbled variable", lambda _: None, {"JOURNEY_KEK": SECRET}, "JOURNEY_KEK must be"),
    ("no such file", lambda _: None, {"JOURNEY_KEK_FILE": "/nowhere"}, "JOURNEY_KEK_FILE"),
]


@pytest.mark.parametrize(
    ("spoil", "environment", "said"), [pytest.param(*case[1:], id=case[0]) for case in KEYS]
)
def test_without_the_right_key_nothing_starts_and_no_new_one_is_made(
    untouched: InProcess,
    spoil: Callable[[Path], object],
    environment: dict[str, str],
    said: str,
) -> None:
    kek = untouched.folder / "home" / "kek"
    good = kek.read_bytes()
    try:
        spoil(kek)
        after = _state_of(kek)
        for command in (
            ("run-journey", "journey.yaml", "--user", "x", *LIVE),
            ("journey", "apply", "endpoints.yaml"),
            ("journey", "auth", "rotate", "api", "--from-env", "TOKEN"),
        ):
            assert_said(untouched.call(*command, environment=environment), 78, said, lines=1)
        assert _state_of(kek) == after
    finally:
        if kek.is_dir():
            kek.rmdir()
        kek.write_bytes(good)
        kek.chmod(0o600)


def _state_of(kek: Path) -> tuple[int, bytes] | None:
    if not kek.exists():
        return None
    return stat.S_IMODE(kek.stat().st_mode), b"" if kek.is_dir() else kek.read_bytes()


# --- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "code", "said"),
    [
        ({"JOURNEY_IN_FLIGHT": "many"}, 78, "JOURNEY_IN_FLIGHT"),
        ({"JOURNEY_IN_FLIGHT": "0"}, 78, "JOURNEY_IN_FLIGHT"),
        ({"JOURNEY_TIMEZONE": "Mars/Base"}, 78, "JOURNEY_TIMEZONE"),
        ({"JOURNEY_EGRESS_ALLOW": "banana"}, 78, "JOURNEY_EGRESS_ALLOW"),
        ({"JOURNEY_DATABASE_URL_FILE": "/nowhere"}, 78, "JOURNEY_DATABASE_URL_FILE"),
        ({"JOURNEY_HOME": "/dev/null"}, 5, "/dev/null/engine.db"),
        ({"JOURNEY_HOME": "/proc/nowhere"}, 5, "/proc/nowhere/engine.db"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_used_is_named(
    untouched: InProcess, environment: dict[str, str], code: int, said: str
) -> None:
    done = untouched.call(
        "run-journey", "journey.yaml", "--user", "x", *LIVE, environment=environment
    )
    assert_said(done, code, said, lines=1)


def test_an_empty_setting_is_one_that_is_not_set(tmp_path: Path) -> None:
    there = InProcess(tmp_path)
    there.write("endpoints.yaml", f"endpoints: {{a: {{base_url: '{URL}'}}}}\n")
    empty = {"JOURNEY_HOME": "", "JOURNEY_KEK": "", "JOURNEY_TIMEZONE": "", "JOURNEY_IN_FLIGHT": ""}
    assert there.call("journey", "apply", "endpoints.yaml", environment=empty).code == 0
    assert (tmp_path / ".journey" / "engine.db").exists()
