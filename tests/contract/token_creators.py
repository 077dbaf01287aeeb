"""A process whose threads all create a token of kind ``user_data`` as soon as a line comes in; out
comes a line of JSON: the tokens that were made, and the codes of the refusals.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from engine.access import issuing
from engine.clock import wall
from engine.db.schema import find_database
from engine.errors import EngineError


def create_at_once(url: str, beginning: str, count: int) -> dict[str, list[str]]:
    """Each of ``count`` threads tries to create a token."""
    database = find_database(url)
    barrier = Barrier(count)

    def create(number: int) -> tuple[str, str]:
        barrier.wait()
        try:
            with database.write() as connection:
                name = f"{beginning}-{number}"
                made = issuing.create(connection, name, "user_data", actor="ann", now=wall())
        except EngineError as error:
            return "refused", error.code
        return "made", made.text

    with ThreadPoolExecutor(count) as threads:
        ended = list(threads.map(create, range(count)))
    database.close()
    return {how: [said for each, said in ended if each == how] for how in ("made", "refused")}


if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(create_at_once(sys.argv[1], sys.argv[2], int(sys.argv[3]))), flush=True)
