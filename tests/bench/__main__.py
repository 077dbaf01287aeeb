"""Figures of the engine with their spread, and their ratio to a bare limit of the same run.

``scripts/bench NAME`` prints a table, and at the end one line of JSON; ``scripts/bench NAME
--help`` says what it measures. ``--save FILE`` appends the line to a file, ``--compare FILE`` tells
the ratio of each figure to that of such a file; without NAME everything in the file is measured
again, with the options it was measured with.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench import (
    fair,
    growth,
    ingest,
    ingest_http,
    latency,
    main_job,
    pure,
    resolve,
    sleepers,
    start,
    wake,
    wire,
    workers,
)
from tests.bench.shape import Bench, Case, line, summary, table

BENCHES: dict[str, Bench] = {
    module.BENCH.name: module.BENCH
    for module in (
        main_job,
        pure,
        sleepers,
        wake,
        ingest,
        ingest_http,
        resolve,
        latency,
        growth,
        workers,
        start,
        fair,
        wire,
    )
}
_OURS = {"bench", "compare", "save"}


def main(words: Sequence[str] | None = None) -> None:
    """Run the bench that the command line names, or those of the file it compares with."""
    given = vars(_parser().parse_args(words))
    then = _saved(given["compare"]) if given["compare"] else {}
    if given["bench"] is not None:
        options = {name: value for name, value in given.items() if name not in _OURS}
        wanted = {given["bench"]: options}
    else:
        wanted = {name: told["given"] for name, told in then.items() if name in BENCHES}
    if not wanted:
        sys.exit("scripts/bench: name a bench, or a file with --compare; see --help")
    for name, options in wanted.items():
        _run(BENCHES[name], options, then.get(name), given["save"])


def _run(
    bench: Bench, options: Mapping[str, object], then: dict[str, Any] | None, save: Path | None
) -> None:
    cases: list[Case] = []
    for case in bench.measure(argparse.Namespace(**options)):
        head, *rows = table(summary([case]), then["cases"] if then else {})
        print(*rows if cases else [head, *rows], sep="\n", flush=True)
        cases.append(case)
    said = line(bench.name, options, cases)
    print(said, flush=True)
    if save is not None:
        with save.open("a", encoding="utf-8") as file:
            file.write(said + "\n")


def _saved(path: Path) -> dict[str, dict[str, Any]]:
    """The last line of each bench in a file; lines that are no JSON objects are passed over."""
    lines = path.read_text(encoding="utf-8").splitlines()
    told = [json.loads(each) for each in lines if each.startswith("{")]
    return {each["bench"]: each for each in told}


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    for name, help_text in (
        ("compare", "tell the ratio of each figure to the one in FILE"),
        ("save", "append the line of JSON to FILE"),
    ):
        shared.add_argument(
            f"--{name}", type=Path, metavar="FILE", help=help_text, default=argparse.SUPPRESS
        )
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        parents=[shared],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(compare=None, save=None)
    benches = parser.add_subparsers(dest="bench", metavar="NAME")
    for bench in BENCHES.values():
        one = benches.add_parser(
            bench.name,
            help=bench.about.splitlines()[0],
            description=bench.about,
            parents=[shared],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for option in bench.options:
            one.add_argument(
                f"--{option.name}",
                type=type(option.default),
                default=option.default,
                choices=option.choices,
                help=f"{option.help} ({option.default} unless said)",
            )
    return parser


if __name__ == "__main__":
    main()
