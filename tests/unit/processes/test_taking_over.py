"""Who takes users over from another worker goes on as that one would have."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from engine.db.ids import IdMaker
from engine.db.schema import open_database
from engine.enrollments.buckets import acquire
from engine.processes.assemble import assemble
from engine.processes.worker import Worker
from engine.settings import Settings
from engine.users.incoming import IncomingEvent
from engine.users.ingest import ingest
from engine.versions.store import Versions
from tests.databases import database_url
from tests.unit.enrollments.deciding import NOW, Desk
from tests.unit.processes.test_committing import Nobody
from tests.unit.processes.test_loading_ahead import ByHand

ANSWER = {"id": "answer", "type": "wait_for", "any": [{"event": "reply"}], "within": "PT1H"}


@pytest.mark.usefixtures("either_database")
def test_what_users_wait_for_is_heard_by_a_worker_that_began_before_they_came(
    tmp_path: Path,
) -> None:
    desk, new_id = Desk(tmp_path), IdMaker(lambda: 7)
    desk.publish(ANSWER, entry={"triggers": [{"event": "come"}]})
    settings = Settings(home=str(tmp_path), database_url=database_url(tmp_path))

    async def deliver(_held: Any) -> Any:
        raise AssertionError("nobody makes a call")

    def tell(name: str) -> None:
        with desk.database.write() as connection:
            ingest(connection, [IncomingEvent("ann", name, {}, NOW)], now=NOW, new_id=new_id)

    def work(worker: Worker) -> None:
        worker._tellings.waiting = True
        while worker.turn() == 0.0:
            pass

    with ExitStack() as stack:
        stack.callback(desk.database.close)
        database = open_database(settings.database_url)
        stack.callback(database.close)
        owned = acquire(database, shared=True)
        stack.callback(owned.release)
        owned.heartbeat()
        workers = []
        for _ in range(2):
            parts = (database, owned, deliver, Versions(), ByHand(), settings, Nobody())
            worker = assemble(*parts)
            stack.callback(worker._watch.close)
            worker.open()
            workers.append(worker)
        first, second = workers
        tell("come")
        work(first)
        tell("reply")
        work(second)
        assert desk.query("SELECT user_id, outcome FROM enrollments") == [("ann", "completed")]
