"""``scripts/bench NAME``: figures with their spread, and ratios to a bare limit of the same run."""

from __future__ import annotations

import argparse

from tests.bench import ingest_http, latency, main_job, sleepers


def main() -> None:
    """Run the bench that the command line names."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    benches = parser.add_subparsers(dest="bench", required=True)
    job = benches.add_parser("main-job", help="five steps with one POST, SQLite, one command")
    job.add_argument(
        "--users", default="1000,10000,50000,200000", help="sizes, separated by commas"
    )
    job.add_argument("--runs", type=int, default=3, help="how often each size is run")
    late = benches.add_parser("latency", help="from an event to the first byte of its first call")
    late.add_argument("--rate", type=int, default=500, help="events a second")
    late.add_argument("--seconds", type=int, default=20, help="for how long")
    late.add_argument("--idle", type=int, default=60, help="single events before that")
    late.add_argument("--sleepers", type=int, default=10_000, help="who wake in one second")
    asleep = benches.add_parser("sleepers", help="what users who sleep cost, and their events")
    asleep.add_argument("--users", default="10,1000000", help="sizes, separated by commas")
    doors = benches.add_parser("ingest-http", help="events in over HTTP, SQLite, a server beside")
    doors.add_argument("--serve", choices=["api", "up"], default="api", help="which process serves")
    doors.add_argument("--seconds", type=float, default=8, help="for how long each")
    doors.add_argument("--rate", type=int, default=500, help="events a second, where it is fixed")
    given = parser.parse_args()
    if given.bench == "latency":
        latency.measure(given.rate, given.seconds, given.idle, given.sleepers)
        return
    if given.bench == "ingest-http":
        ingest_http.measure(given.serve, given.seconds, given.rate)
        return
    sizes = [int(size) for size in given.users.split(",")]
    if given.bench == "sleepers":
        sleepers.measure(sizes)
    else:
        main_job.measure(sizes, given.runs)


if __name__ == "__main__":
    main()
