from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.core.drawing.counts import Counts, StepCounts
from engine.core.drawing.mermaid import escaped, mermaid
from tests.house.source import ROOT
from tests.unit.core.drawing.journeys import program

TEXT = r'"(?:[^"#<>;`\\]|#\d+;|<br/>)*"'
NODE = re.compile(rf" +n\d+(?:\[|\(\[|\(|\{{\{{|\{{){TEXT}(?:\]|\]\)|\)|\}}\}}|\}})")
EDGE = re.compile(rf"  n\d+ (?:-->|-\.->)(?:\|{TEXT}\|)? n\d+")
OTHER = re.compile(
    r"flowchart TD|  subgraph on_(?:enter|exit)\[\"on_(?:enter|exit)\"\]|  end"
    r"|  classDef ending [\w:,#]+|  class n\d+(?:,n\d+)* ending"
)
HOSTILE = 'end"]; click n0 call alert(1) %%{init: {}}%% <b onx=1> `x` #quot; \\" | subgraph'
PARSER = ROOT / "node_modules" / "mermaid"
SCRIPT = """\
import { JSDOM } from 'jsdom';
const page = new JSDOM('');
globalThis.window = page.window;
globalThis.document = page.window.document;
const { default: mermaid } = await import('mermaid');
let text = '';
for await (const part of process.stdin) text += part;
await mermaid.parse(text);
"""
EVERYTHING = {
    "dsl": 1,
    "journey": "everything",
    "on_enter": [{"id": "in", "type": "call_api", "endpoint": "crm"}],
    "on_exit": [{"id": "out", "type": "call_api", "endpoint": "crm"}],
    "steps": [
        {"id": "a", "type": "call_api", "endpoint": "crm", "title": HOSTILE, "on_failure": "exit"},
        {"id": "b", "type": "branch", "paths": [{"name": "p", "when": "user.x == '\"}'"}]},
        {"id": "c", "type": "split", "arms": [{"name": "x", "weight": 1, "next": "a"}]},
        {"id": "d", "type": "wait", "for": "{{ user.pause }}", "title": "end"},
        {"id": "e", "type": "wait_for", "any": [{"event": "paid", "next": "g"}], "within": "P1D"},
        {"id": "g", "type": "exit", "when": "user.g", "outcome": "gone"},
    ],
}


def test_a_journey_as_a_flow_chart() -> None:
    text = """\
steps:
  - {id: greet, type: call_api, endpoint: crm, path: /send}
  - id: worth
    type: branch
    paths: [{name: high, when: user.n >= 5, steps: [{id: rest, type: wait, for: P2D}]}]
"""
    assert mermaid(program(text), Counts(9, {"greet": StepCounts(9, 6, 2, 0, 1)})) == (
        "flowchart TD\n"
        '  n0(["Entry<br/>by command or API"])\n'
        '  n1["greet<br/>POST crm/send<br/>9 entered, 1 waiting, 2 failed"]\n'
        '  n2{"worth"}\n'
        '  n3("rest<br/>2 days")\n'
        '  n4(["completed"])\n'
        "  n0 --> n1\n"
        "  n1 --> n2\n"
        '  n2 -->|"high<br/>user.n #62;#61; 5"| n3\n'
        '  n2 -->|"otherwise"| n4\n'
        "  n3 --> n4\n"
        "  classDef ending fill:#2a3546,stroke:#2a3546,color:#ffffff\n"
        "  class n4 ending\n"
    )


def test_whatever_authors_write_stays_between_its_quotes() -> None:
    lines = mermaid(program(json.dumps(EVERYTHING))).splitlines()
    odd = [
        line
        for line in lines
        if not (NODE.fullmatch(line) or EDGE.fullmatch(line) or OTHER.fullmatch(line))
    ]
    assert not odd


def test_every_character_that_could_mean_something_is_a_code() -> None:
    assert escaped('<b>"#1;|`') == "#60;b#62;#34;#35;1#59;#124;#96;"
    assert escaped("Grüße, 50 %") == "Grüße, 50 %"
    assert escaped("x" * 200) == "x" * 79 + "…"


@pytest.mark.skipif(
    not PARSER.is_dir() or shutil.which("node") is None,
    reason="Mermaid's parser isn't here; `npm install --no-save mermaid jsdom` brings it",
)
def test_mermaid_itself_takes_it(tmp_path: Path) -> None:
    script = tmp_path / "parse.mjs"
    script.write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(PARSER.parent)
    done = subprocess.run(
        ["node", str(script)],
        input=mermaid(program(json.dumps(EVERYTHING))),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
