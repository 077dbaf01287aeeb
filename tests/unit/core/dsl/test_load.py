"""Text → Journey: everything wrong with a file, at once, each at its place, and nothing twice."""

from __future__ import annotations

import hashlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.dsl.check import load_and_check
from engine.core.dsl.load import load
from engine.core.dsl.problems import render
from engine.errors import DefinitionError, Problem
from tests.unit.core.dsl.bad_journeys import Expected, all_bad
from tests.unit.core.dsl.good_journeys import GOOD, WELCOME


def problems_of(text: str) -> tuple[Problem, ...]:
    """Everything wrong with a journey."""
    try:
        load_and_check(text.encode(), "j.yaml")
    except DefinitionError as error:
        return error.problems
    return ()


def only_problem_of(text: str) -> Problem:
    """The one thing wrong with a journey."""
    (problem,) = problems_of(text)
    return problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [(text, expected) for _, text, expected in all_bad()],
    ids=[name for name, _, _ in all_bad()],
)
def test_a_bad_journey_gets_exactly_its_problems(text: str, expected: Expected) -> None:
    problems = problems_of(text)
    assert [(problem.line, problem.code) for problem in problems] == expected
    for problem in problems:
        assert problem.severity == "error"
        assert "\n" not in problem.message + problem.remedy
        assert not any(
            jargon in problem.message.lower()
            for jargon in ("input should", "pydantic", "validat", "extra inputs", "nonetype")
        )
        assert "hunter2" not in render(problem, "j.yaml")


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_a_good_journey_has_no_problem(text: str) -> None:
    loaded = load_and_check(text.encode(), "j.yaml")
    assert loaded.checked.problems == ()
    assert loaded.source_hash == hashlib.sha256(text.encode()).hexdigest()


def test_load_alone_doesnt_ask_what_a_journey_means() -> None:
    text = WELCOME.replace("for: P2D", "for: P2D, next: nobody")
    assert load(text.encode(), "j.yaml").journey.steps[1].next == "nobody"
    assert only_problem_of(text).code == "step.unknown"


def test_a_windows_file_loads() -> None:
    text = "\ufeff" + WELCOME.replace("\n", "\r\n")
    assert load(text.encode(), "j.yaml").journey.journey == "welcome"


def test_a_problem_points_at_the_very_character() -> None:
    text = "dsl: 1\njourney: j\nsteps:\n  - {id: a, type: exit, when: user.x and usr.y}\n"
    assert only_problem_of(text).column == text.splitlines()[3].index("usr") + 1
    text = (
        "dsl: 1\njourney: j\nsteps:\n- id: a\n  type: exit\n  when: |\n    user.x\n    and usr.y\n"
    )
    problem = only_problem_of(text)
    assert (problem.line, problem.column) == (8, 9)
    text = "dsl: 1\njourney: j\nsteps:\n  - {id: a, type: exit, when: 'vars.x'}\n"
    assert only_problem_of(text).column == text.splitlines()[3].index("vars") + 1


@pytest.mark.parametrize(
    ("step", "remedy"),
    [
        ("{id: a, type: call_api, endpont: x}", "did you mean `endpoint`?"),
        ("{id: a, type: cal_api, endpoint: x}", "did you mean `call_api`?"),
        ("{id: a, type: call_api, endpoint: x, method: post}", "did you mean `POST`?"),
        ("{id: a, type: call_api, endpoint: x, retry: {atempts: 3}}", "did you mean `attempts`?"),
        ("{id: a, type: wait, until: {tiem: '09:00', days: 1}}", "did you mean `time`?"),
        ("{id: a, type: wait, until: {weekdays: [Monday]}}", "did you mean `mon`?"),
        ("{id: score, type: exit, when: steps.scoer.status}", "did you mean `score`?"),
        ("{id: score, type: wait, for: 1d, next: scroe}", "did you mean `score`?"),
        ("{id: a, type: exit, when: visits(aa) > 1}", "did you mean `a`?"),
        ("{id: a, type: set, values: {vars.code: '{{ vars.cod }}'}}", "did you mean `code`?"),
        ("{id: a, type: branch, paths: [{nmae: x, when: user.y}]}", "did you mean `name`?"),
        ("{id: a, type: exit, when: not userr.x}", "did you mean 'user'?"),
        ("{id: a, type: exit, title: 5}", 'put it in quotes: "5"'),
    ],
)
def test_a_slip_gets_a_did_you_mean(step: str, remedy: str) -> None:
    assert only_problem_of(f"dsl: 1\njourney: j\nsteps:\n  - {step}\n").remedy == remedy


@pytest.mark.parametrize(
    "key", ["url", "auth", "token", "authorization", "headers: {Authorization", "api_key"]
)
def test_a_credential_in_a_step_is_told_where_authentication_is_managed(key: str) -> None:
    close = "}" if "{" in key else ""
    step = f"{{id: a, type: call_api, endpoint: x, {key}: hunter2{close}}}"
    problem = only_problem_of(f"dsl: 1\njourney: j\nsteps:\n  - {step}\n")
    assert problem.code == "auth.in_journey"
    assert "authentication is managed centrally" in problem.remedy
    assert "journey auth set" in problem.remedy
    assert "journey endpoints set NAME --auth PROFILE" in problem.remedy
    assert "hunter2" not in f"{problem}"


@pytest.mark.parametrize(
    "secret",
    [
        "Bearer abcdefghijklmnop",
        "bearer  abcdefghijklmnopqrstuv",
        "https://me:word@host.example/x",
        "postgres://:word@host/x",
        "sk_live_abcdefgh",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "xoxb-1234567890-abc",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.abcdefgh",
        "-----BEGIN EC PRIVATE KEY-----",
        "jrn_admin_" + "a" * 38,
    ],
)
def test_a_secret_anywhere_is_refused_and_never_shown(secret: str) -> None:
    places = [
        f"title: x\nsteps:\n  - {{id: a, type: set, values: {{vars.x: ['{secret}']}}}}\n",
        f"title: x\nsteps:\n  - id: a\n    type: exit\n    when: \"user.x == '{secret}'\"\n",
        f'title: "{secret}"\nsteps: [{{id: a, type: exit}}]\n',
        (
            "steps:\n  - id: a\n    type: call_api\n    endpoint: x\n"
            f"    text: >\n      a\n      {secret}\n"
        ),
    ]
    for place in places:
        problem = only_problem_of(f"dsl: 1\njourney: j\n{place}")
        assert problem.code == "secret.in_journey"
        assert secret[8:] not in render(problem, "j.yaml").replace("PRIVATE KEY", "")


@pytest.mark.parametrize(
    "harmless",
    [
        "the bearer of this letter",
        "https://example.com/a:b@c",
        "mailto:a@b.example",
        "{{ user.link }}://{{ user.a }}:{{ user.b }}@x",
        "task_live_and_well",
        "risk-assessment-of-everything",
        "Basic things first",
        "eyJ",
    ],
)
def test_what_only_resembles_a_secret_is_none(harmless: str) -> None:
    text = (
        f'dsl: 1\njourney: j\nsteps:\n  - {{id: a, type: set, values: {{vars.x: "{harmless}"}}}}\n'
    )
    assert problems_of(text) == ()


def test_keys_of_a_body_are_free() -> None:
    body = "{url: x, auth: y, token: z, headers: {Authorization: 'x'}, next: nobody, steps: [1]}"
    step = f"{{id: a, type: call_api, endpoint: x, body: {body}}}"
    assert problems_of(f"dsl: 1\njourney: j\nsteps:\n  - {step}\n") == ()


def test_a_thousand_steps_load_and_one_more_doesnt() -> None:
    head = "dsl: 1\njourney: j\nsteps:\n"
    lines = [f"  - {{id: s{n}, type: wait, for: 1h}}\n" for n in range(1_001)]
    assert problems_of(head + "".join(lines[:1_000])) == ()
    assert only_problem_of(head + "".join(lines)).code == "journey.too_many_steps"


def test_a_file_wrong_all_over_is_refused_soon_and_in_bounded_words() -> None:
    text = "dsl: 1\njourney: j\nsteps:\n" + "  - {id: A, typ: x, url: y}\n" * 1_000
    began = time.thread_time()
    problems = problems_of(text)
    assert time.thread_time() - began < 3
    assert len(problems) == 200
    assert "more problems" in problems[-1].message


def test_a_problem_is_shown_as_a_compiler_does() -> None:
    text = "dsl: 1\njourney: j\nsteps:\n  - id: tips\n    type: call_api\n    endpont: messenger\n"
    assert render(only_problem_of(text), "j.yaml") == (
        "j.yaml:6:5: error: unknown key `endpont` in step `tips` [key.unknown]\n"
        "    6 |     endpont: messenger\n"
        "      |     ^\n"
        "      = did you mean `endpoint`?"
    )


def test_a_long_line_is_shown_around_its_problem_and_tabs_and_codes_are_inert() -> None:
    problem = Problem("x.y", "wrong", 1, 301, text="a" * 300 + "!" + "b" * 300)
    shown = render(problem, "j").splitlines()
    assert len(shown[1]) < 200
    assert shown[1][shown[2].index("^")] == "!"
    shown = render(Problem("x.y", "wrong", 1, 4, text="\t日\x1b!"), "j").splitlines()
    assert shown[1].endswith("|  日?!")
    assert shown[2].index("^") == len("      | ") + 4


MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 3_000),
        st.integers(0, 12),
        st.sampled_from(
            (
                *("", " ", "\n", ":", "- ", "{", "}", "[", "]", "'", '"', "#", " # ", "&a ", "*a"),
                *("!", "|", ">", "<<: ", "null", "5", "next: ", "type: wait", "id: a", "\t", "é"),
                *("steps:\n", "when: ", "{{ ", " }}", "user.x", "vars.", "- {id: z, type: exit}"),
            )
        ),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(GOOD)), MUTATIONS)
def test_a_damaged_journey_loads_or_says_why(name: str, damage: list[tuple[int, int, str]]) -> None:
    text = GOOD[name]
    for start, length, instead in damage:
        at = start % len(text)
        text = text[:at] + instead + text[at + length :]
    lines = len(text.splitlines()) + 1
    for problem in problems_of(text):
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert problem.message
        assert render(problem, "j.yaml")


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-5, 5)
        | st.sampled_from(["a", "exit", "wait", "1h"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "type", "steps", "any", "paths", "next", "until", "entry"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_data_at_all_gets_problems_and_no_traceback(data: object) -> None:
    import json

    text = json.dumps({"dsl": 1, "journey": "j", "steps": data, "entry": data, "goals": data})
    assert problems_of(text)
