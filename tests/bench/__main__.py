"""``scripts/bench NAME``: figures with their spread, and ratios to a bare limit of the same run."""

from __future__ import annotations

import argparse

from tests.bench import main_job


def main() -> None:
    """Run the bench that the command line names."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    benches = parser.add_subparsers(dest="bench", required=True)
    job = benches.add_parser("main-job", help="five steps with one POST, SQLite, one command")
    job.add_argument(
        "--users", default="1000,10000,50000,200000", help="sizes, separated by commas"
    )
    job.add_argument("--runs", type=int, default=3, help="how often each size is run")
    given = parser.parse_args()
    main_job.measure([int(size) for size in given.users.split(",")], given.runs)


if __name__ == "__main__":
    main()
