"""Journeys with something wrong: a name, the text, and every problem as (line, code).

``STEPS`` is text that stands below ``steps:`` in line 3, so that it begins in line 4.
"""
# ruff: noqa: E501, ISC004 - a table of texts

from __future__ import annotations

Expected = list[tuple[int, str]]

STEPS: list[tuple[str, str, Expected]] = [
    # --- the shape of a step
    ("a step that is text", "- text\n", [(4, "value.type")]),
    ("a step without id", "- {type: exit}\n", [(4, "key.missing")]),
    ("a step without type", "- {id: a}\n", [(4, "key.missing")]),
    ("a step type as a key", "- exit: {outcome: x}\n", [(4, "key.missing")]),
    ("an unknown step type", "- {id: a, type: cal_api, endpoint: x}\n", [(4, "step.type")]),
    ("a step type that is a number", "- {id: a, type: 5}\n", [(4, "step.type")]),
    ("an id in capitals", "- {id: Greet, type: exit}\n", [(4, "name.step")]),
    ("an id that is a number", "- {id: 5, type: exit}\n", [(4, "name.step")]),
    ("an id too long", f"- {{id: {'a' * 64}, type: exit}}\n", [(4, "name.step")]),
    ("an unknown key", "- {id: a, type: exit, outcme: x}\n", [(4, "key.unknown")]),
    (
        "a typo in a required key is one problem",
        "- {id: a, type: call_api, endpont: x}\n",
        [(4, "key.unknown")],
    ),
    ("a key with nothing behind it", "- id: a\n  type: exit\n  outcome:\n", [(6, "value.empty")]),
    ("no steps", "  []\n", [(3, "value.empty")]),
    ("steps that are a mapping", "  a: {type: exit}\n", [(4, "value.type")]),
    # --- call_api
    ("a call without endpoint", "- {id: a, type: call_api}\n", [(4, "key.missing")]),
    (
        "an unknown method",
        "- {id: a, type: call_api, endpoint: x, method: GETT}\n",
        [(4, "value.choice")],
    ),
    (
        "two bodies",
        "- {id: a, type: call_api, endpoint: x, body: {}, text: b}\n",
        [(4, "call.two_bodies")],
    ),
    (
        "a timeout that is a number",
        "- {id: a, type: call_api, endpoint: x, timeout: 5}\n",
        [(4, "duration.invalid")],
    ),
    (
        "a timeout too long",
        "- {id: a, type: call_api, endpoint: x, timeout: 1h}\n",
        [(4, "timeout.too_long")],
    ),
    (
        "retries that are text",
        "- id: a\n  type: call_api\n  endpoint: x\n  retry:\n    attempts: many\n",
        [(8, "value.type")],
    ),
    (
        "no retries at all",
        "- {id: a, type: call_api, endpoint: x, retry: {attempts: 0}}\n",
        [(4, "value.range")],
    ),
    (
        "an unknown cause of a retry",
        "- {id: a, type: call_api, endpoint: x, retry: {when: [404]}}\n",
        [(4, "retry.cause")],
    ),
    (
        "an output into nowhere",
        "- {id: a, type: call_api, endpoint: x, outputs: {score: response.body.s}}\n",
        [(4, "target.invalid")],
    ),
    (
        "an output to the user's id",
        "- {id: a, type: call_api, endpoint: x, outputs: {user.id: response.body.s}}\n",
        [(4, "target.invalid")],
    ),
    (
        "on_failure that says nowhere",
        "- {id: a, type: call_api, endpoint: x, on_failure: stop}\n",
        [(4, "value.choice")],
    ),
    (
        "on_failure that jumps to nobody",
        "- {id: a, type: call_api, endpoint: x, on_failure: {next: b}}\n",
        [(4, "step.unknown")],
    ),
    (
        "a path that isn't one",
        "- {id: a, type: call_api, endpoint: x, path: users}\n",
        [(4, "path.invalid")],
    ),
    (
        "a header of the wire",
        "- {id: a, type: call_api, endpoint: x, headers: {Host: y}}\n",
        [(4, "header.of_the_wire")],
    ),
    (
        "an unknown filter deep in a body",
        "- id: a\n  type: call_api\n  endpoint: x\n  body:\n    list:\n"
        '      - one\n      - "{{ user.name | uper }}"\n',
        [(10, "value.invalid")],
    ),
    (
        "a template that isn't closed",
        "- id: a\n  type: call_api\n  endpoint: x\n  body: '{{ user.name'\n",
        [(7, "value.invalid")],
    ),
    # --- credentials
    (
        "a url",
        "- {id: a, type: call_api, url: https://x.example}\n",
        [(4, "auth.in_journey")],
    ),
    (
        "auth in a step",
        "- id: a\n  type: call_api\n  endpoint: x\n  auth: {kind: basic, password: hunter2}\n",
        [(7, "auth.in_journey")],
    ),
    (
        "a token in a step",
        "- {id: a, type: call_api, endpoint: x, token: hunter2}\n",
        [(4, "auth.in_journey")],
    ),
    (
        "an authorization header",
        "- id: a\n  type: call_api\n  endpoint: x\n  headers:\n    X-Id: 1\n"
        "    authorization: hunter2\n",
        [(9, "auth.in_journey")],
    ),
    (
        "an API key in the query",
        "- {id: a, type: call_api, endpoint: x, query: {api_key: hunter2}}\n",
        [(4, "auth.in_journey")],
    ),
    (
        "a password in an option",
        "- {id: a, type: call_api, endpoint: x, retry: {password: hunter2}}\n",
        [(4, "auth.in_journey")],
    ),
    (
        "a bearer token in a body",
        "- id: a\n  type: call_api\n  endpoint: x\n  body:\n    deep: [{er: Bearer hunter2hunter2hunter2}]\n",
        [(8, "secret.in_journey")],
    ),
    (
        "a private key",
        "- id: a\n  type: call_api\n  endpoint: x\n  text: |\n    -----BEGIN PRIVATE KEY-----\n"
        "    hunter2\n    -----END PRIVATE KEY-----\n",
        [(7, "secret.in_journey")],
    ),
    (
        "a JSON Web Token in an expression",
        "- id: a\n  type: exit\n"
        "  when: user.x == 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2hunter2'\n",
        [(6, "secret.in_journey")],
    ),
    (
        "a password in an address",
        "- {id: a, type: call_api, endpoint: x, body: {url: 'https://me:hunter2@x.example/'}}\n",
        [(4, "secret.in_journey")],
    ),
    (
        "a vendor's key as a key",
        "- {id: a, type: call_api, endpoint: x, body: {sk_live_hunter2hunter2: 1}}\n",
        [(4, "secret.in_journey")],
    ),
    (
        "a vendor's key in a path",
        "- {id: a, type: call_api, endpoint: x, path: /ghp_hunter2hunter2hunter2}\n",
        [(4, "secret.in_journey")],
    ),
    # --- wait
    ("a wait for nothing", "- {id: a, type: wait}\n", [(4, "wait.one")]),
    ("a wait for two", "- {id: a, type: wait, for: 1h, until: {days: 1}}\n", [(4, "wait.one")]),
    ("a wait for bananas", "- {id: a, type: wait, for: 3 bananas}\n", [(4, "duration.invalid")]),
    (
        "no such weekday",
        "- {id: a, type: wait, until: {weekdays: [mon, tues]}}\n",
        [(4, "value.choice")],
    ),
    ("no such time", '- {id: a, type: wait, until: {time: "25:00"}}\n', [(4, "time.invalid")]),
    (
        "no such zone",
        '- {id: a, type: wait, until: {time: "09:00", timezone: Europe/Istambul}}\n',
        [(4, "zone.unknown")],
    ),
    (
        "a date that may be missing",
        "- {id: a, type: wait, until: {date: user.renewal}}\n",
        [(4, "wait.missing")],
    ),
    (
        "missing that jumps to nobody",
        "- id: a\n  type: wait\n  until:\n    date: user.renewal\n    missing: {next: gone}\n",
        [(8, "step.unknown")],
    ),
    # --- branch, split, set, wait_for, exit
    ("a branch without paths", "- {id: a, type: branch, paths: []}\n", [(4, "value.empty")]),
    (
        "a path without a condition",
        "- {id: a, type: branch, paths: [{name: x}]}\n",
        [(4, "key.missing")],
    ),
    (
        "a path that goes two ways",
        "- id: a\n  type: branch\n  paths:\n    - name: x\n      when: user.y\n      next: a\n"
        "      steps: [{id: b, type: exit}]\n",
        [(7, "body.two_ways")],
    ),
    (
        "two paths of one name",
        "- id: a\n  type: branch\n  paths:\n    - {name: x, when: user.y}\n"
        "    - {name: x, when: user.z}\n",
        [(8, "name.twice")],
    ),
    (
        "otherwise that leads to nobody",
        "- id: a\n  type: branch\n  paths: [{name: x, when: user.y}]\n  otherwise: gone\n",
        [(7, "step.unknown")],
    ),
    (
        "a weight below nothing",
        "- {id: a, type: split, arms: [{name: x, weight: -1}, {name: y, weight: 1}]}\n",
        [(4, "weight.invalid")],
    ),
    (
        "no weight at all",
        "- {id: a, type: split, arms: [{name: x, weight: 0}]}\n",
        [(4, "split.no_weight")],
    ),
    (
        "two arms of one name",
        "- {id: a, type: split, arms: [{name: x, weight: 1}, {name: x, weight: 1}]}\n",
        [(4, "split.same_name")],
    ),
    ("a set of nothing", "- {id: a, type: set, values: {}}\n", [(4, "value.empty")]),
    (
        "a wait_for without end",
        "- {id: a, type: wait_for, any: [{event: x}]}\n",
        [(4, "key.missing")],
    ),
    (
        "an event and a condition",
        "- {id: a, type: wait_for, within: 1d, any: [{event: x, when: user.y}]}\n",
        [(4, "occurrence.one")],
    ),
    (
        "waiting for what time alone makes true",
        "- {id: a, type: wait_for, within: 1d, any: [{when: days_since(user.since) > 3}]}\n",
        [(4, "condition.by_time")],
    ),
    ("an outcome that is a list", "- {id: a, type: exit, outcome: [x]}\n", [(4, "name.invalid")]),
    (
        "an await that is text",
        "- {id: a, type: start_journey, journey: b, await: later}\n",
        [(4, "value.type")],
    ),
    # --- expressions
    ("an unknown root", "- {id: a, type: exit, when: usr.x}\n", [(4, "expression.invalid")]),
    (
        "an expression with braces",
        "- {id: a, type: exit, when: '{{ user.x }}'}\n",
        [(4, "expression.invalid")],
    ),
    (
        "an expression that ends early",
        "- {id: a, type: exit, when: user.x >}\n",
        [(4, "expression.invalid")],
    ),
    ("a secret by name", "- {id: a, type: exit, when: secrets.x}\n", [(4, "expression.invalid")]),
    (
        "an event outside a where",
        "- {id: a, type: exit, when: event.x}\n",
        [(4, "expression.invalid")],
    ),
    (
        "an unknown field of a step",
        "- {id: a, type: exit, when: steps.a.state}\n",
        [(4, "expression.invalid")],
    ),
    (
        "an unknown step in a condition",
        "- {id: a, type: exit, when: steps.b.status}\n",
        [(4, "step.unknown")],
    ),
    (
        "an unknown step in visits",
        "- {id: a, type: exit, when: visits(b) > 1}\n",
        [(4, "step.unknown")],
    ),
    ("an unknown input", "- {id: a, type: exit, when: inputs.x}\n", [(4, "input.unknown")]),
    ("a var that is never set", "- {id: a, type: exit, when: vars.x}\n", [(4, "var.unknown")]),
    (
        "names in values",
        '- {id: a, type: call_api, endpoint: x, path: "/{{ vars.x }}", body: [["{{ inputs.y }}"]]}\n',
        [(4, "var.unknown"), (4, "input.unknown")],
    ),
    # --- what YAML does
    (
        "a cut condition",
        "- id: a\n  type: exit\n  when: user.color == ' #fff'\n",
        [(6, "yaml.cut")],
    ),
    (
        "a comment behind a condition",
        "- id: a\n  type: exit\n  when: user.color # red\n",
        [(6, "yaml.cut")],
    ),
    (
        "a cut template",
        "- {id: a, type: call_api, endpoint: x, text: a}\n- id: b\n  type: call_api\n  endpoint: x\n  text: is {{ user.x #1 }}\n",
        [(8, "yaml.cut")],
    ),
    (
        "a condition cut at a comma",
        "- {id: a, type: exit, when: has_event('x', 'P7D')}\n",
        [(4, "yaml.quote")],
    ),
    (
        "a condition cut at a comma in silence",
        "- {id: a, type: exit, when: user.x == date(1, 2)}\n",
        [(4, "yaml.cut")],
    ),
    ("a duplicate key", "- id: a\n  type: exit\n  id: b\n", [(6, "yaml.duplicate_key")]),
    ("a not that is a tag", "- id: a\n  type: exit\n  when: !user.x\n", [(6, "yaml.tag")]),
    (
        "an unquoted template",
        "- id: a\n  type: call_api\n  endpoint: x\n  path: {{ user.id }}\n",
        [(7, "yaml.quote")],
    ),
    # --- steps together
    (
        "an id twice",
        "- {id: a, type: wait, for: 1h}\n- {id: a, type: exit}\n",
        [(5, "step.same_id")],
    ),
    (
        "an id twice, once in a body",
        "- id: a\n  type: branch\n  paths:\n    - name: x\n      when: user.y\n"
        "      steps: [{id: b, type: exit}]\n- {id: b, type: exit}\n",
        [(10, "step.same_id")],
    ),
    (
        "a jump to nobody",
        "- {id: greet, type: wait, for: 1h, next: greed}\n",
        [(4, "step.unknown")],
    ),
    (
        "a jump to oneself",
        "- {id: a, type: set, values: {vars.x: 1}, next: a}\n",
        [(4, "flow.endless")],
    ),
    (
        "a loop",
        "- {id: a, type: set, values: {vars.x: 1}}\n- {id: b, type: set, values: {vars.x: 1}, next: a}\n",
        [(5, "flow.endless")],
    ),
    (
        "a loop out of a body",
        "- id: a\n  type: branch\n  paths:\n    - name: x\n      when: user.y\n      next: a\n",
        [(7, "flow.endless")],
    ),
    (
        "a loop on failure",
        "- {id: a, type: call_api, endpoint: x, on_failure: {next: a}}\n",
        [(4, "flow.endless")],
    ),
    (
        "a loop that a date doesn't slow",
        "- id: a\n  type: wait\n  until: {date: user.d, past: {next: a}, missing: exit}\n",
        [(6, "flow.endless")],
    ),
    (
        "two slips in two steps",
        "- {id: a, type: exit, outcme: x}\n- {id: b, type: wait, for: soon}\n",
        [(4, "key.unknown"), (5, "duration.invalid")],
    ),
    (
        "slips of text, shape and names at once",
        "- {id: a, id: a, type: wait, for: soon}\n- {id: b, type: exit, when: vars.x}\n"
        "- {id: b, type: exit}\n- {id: c, type: wait, for: 1d, next: d}\n",
        [
            (4, "yaml.duplicate_key"),
            (4, "duration.invalid"),
            (5, "var.unknown"),
            (6, "step.same_id"),
            (7, "step.unknown"),
        ],
    ),
]

WHOLE: list[tuple[str, str, Expected]] = [
    ("a list", "- a\n", [(1, "journey.shape")]),
    ("a word", "journey\n", [(1, "journey.shape")]),
    ("an empty mapping", "{}\n", [(1, "key.missing")] * 3),
    (
        "another language",
        "dsl: 2\njourney: j\nsteps: [{id: a, type: exit}]\n",
        [(1, "dsl.unknown")],
    ),
    (
        "the language as text",
        'dsl: "1"\njourney: j\nsteps: [{id: a, type: exit}]\n',
        [(1, "dsl.unknown")],
    ),
    ("no steps", "dsl: 1\njourney: j\n", [(1, "key.missing")]),
    (
        "a name with spaces",
        "dsl: 1\njourney: Cart Rescue\nsteps: [{id: a, type: exit}]\n",
        [(2, "name.journey")],
    ),
    (
        "an unknown key",
        "dsl: 1\njourney: j\nstep: []\nsteps: [{id: a, type: exit}]\n",
        [(3, "key.unknown")],
    ),
]

ENTRY: list[tuple[str, str, Expected]] = [
    ("an unknown type of input", "entry: {inputs: {x: string}}\n", [(3, "value.choice")]),
    ("an input that can't be read", "entry: {inputs: {x-y: text}}\n", [(3, "name.data")]),
    ("a trigger of no kind", "entry: {triggers: [{of: x}]}\n", [(3, "trigger.kind")]),
    (
        "a trigger of two kinds",
        "entry: {triggers: [{event: x, schedule: 0 9 * * mon}]}\n",
        [(3, "key.unknown")],
    ),
    ("a schedule of words", "entry: {triggers: [{schedule: hourly}]}\n", [(3, "schedule.invalid")]),
    (
        "a schedule that is an alias",
        "entry:\n  triggers:\n    - schedule: */5 * * * *\n",
        [(5, "yaml.quote")],
    ),
    (
        "a trigger with a wrong where",
        "entry:\n  triggers:\n    - event: x\n      where: event.a = 5\n",
        [(6, "expression.invalid")],
    ),
    (
        "a list in a flow mapping",
        "entry:\n  triggers:\n    - {event: x, where: event.a in ['b', 'c']}\n",
        [(5, "yaml.quote")],
    ),
    (
        "an input that nobody declared",
        "entry:\n  inputs: {cart: text}\n  triggers:\n    - {event: x, inputs: {crt: event.c}}\n",
        [(6, "input.unknown")],
    ),
    (
        "a schedule that brings no input",
        "entry:\n  inputs: {cart: text}\n  triggers:\n    - {schedule: 0 9 * * mon}\n",
        [(6, "trigger.inputs")],
    ),
    (
        "an audience by time alone",
        "entry: {triggers: [{audience: days_since(user.x) > 30}]}\n",
        [(3, "condition.by_time")],
    ),
    ("a key out of nothing", "entry: {key: inputs.cart}\n", [(3, "input.unknown")]),
    ("a key out of steps", "entry: {key: steps.done.status}\n", [(3, "expression.invalid")]),
    ("no such reentry", "entry: {reentry: sometimes}\n", [(3, "reentry.invalid")]),
    ("no such mode", "entry: {reentry: {mode: sometimes}}\n", [(3, "value.choice")]),
    (
        "a limit without a span",
        "entry:\n  reentry:\n    mode: once\n    limit: {count: 3}\n",
        [(6, "key.missing")],
    ),
    ("too much holdout", "entry: {holdout: 101}\n", [(3, "percent.invalid")]),
    ("a url in entry", "entry: {url: x}\n", [(3, "auth.in_journey")]),
    ("no such age", "max_age: P0D\n", [(3, "duration.zero")]),
    ("an age of calendar years", "max_age: P1Y\n", [(3, "duration.invalid")]),
    ("no such zone", "timezone: Europe/Istambul\n", [(3, "zone.unknown")]),
    ("a goal without a name", "goals: [{event: x}]\n", [(3, "key.missing")]),
    ("a goal of nothing", "goals: [{name: x}]\n", [(3, "occurrence.one")]),
    (
        "two goals of one name",
        "goals:\n  - {name: x, event: y}\n  - {name: x, event: z}\n",
        [(5, "name.twice")],
    ),
    (
        "a goal by time alone",
        "goals: [{name: x, when: now > user.end}]\n",
        [(3, "condition.by_time")],
    ),
    (
        "an exit rule by time alone",
        "exit: [{when: \"event_count('x', 'P7D') > 2\"}]\n",
        [(3, "condition.by_time")],
    ),
    ("a wait in on_enter", "on_enter: [{id: a, type: wait, for: 1h}]\n", [(3, "step.type")]),
    (
        "the id of a step in on_exit",
        "on_exit: [{id: done, type: call_api, endpoint: x}]\n",
        [(4, "step.same_id")],
    ),
    (
        "a jump out of on_exit",
        "on_exit: [{id: a, type: call_api, endpoint: x, next: done}]\n",
        [(3, "step.unknown")],
    ),
    (
        "a secret in the description",
        "description: see sk_live_hunter2hunter2\n",
        [(3, "secret.in_journey")],
    ),
]
"""Text between ``journey:`` in line 2 and ``steps:`` with one step ``done``."""


def all_bad() -> list[tuple[str, str, Expected]]:
    """Every bad journey as (name, whole text, problems)."""
    head = "dsl: 1\njourney: j\n"
    steps = [(name, f"{head}steps:\n{text}", expected) for name, text, expected in STEPS]
    tail = "steps: [{id: done, type: exit}]\n"
    entry = [(name, head + text + tail, expected) for name, text, expected in ENTRY]
    return [*steps, *WHOLE, *entry]
