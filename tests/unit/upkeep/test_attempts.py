"""Work in the background that failed: what is told of it, when it is tried again, what is news."""

from __future__ import annotations

import logging

import pytest

from palimpsest.index.errors import DiskFailed, NoRoom, StorageFull, SyncFailed
from palimpsest.index.upkeep.attempts import WHOLE, Attempts
from tests.conftest import OpenCollection
from tests.points import config_of


@pytest.fixture
def attempts(collection_of: OpenCollection) -> Attempts:
    collection = collection_of(config_of(2))
    return Attempts(collection.writer, collection.upkeep.attempts.jobs, lambda: False)


def fail(attempts: Attempts, error: Exception, kind: str = "seal", column: int = 0) -> None:
    with attempts.attempt(kind, column, "sealing «имя»"):
        raise error


def test_a_failure_stands_until_the_same_work_succeeds(attempts: Attempts) -> None:
    fail(attempts, DiskFailed("no disk"))
    assert attempts.last(put_off=False) == "sealing «имя»: no disk"
    assert 0 < attempts.retry_delay("seal", [0]) <= 10
    assert attempts.retry_delay("seal", [0, 1]) == 0.0, "another column may be tried at once"
    assert attempts.retry_delay("compact", [0]) == 0.0
    with attempts.attempt("seal", 1, "another column"):
        pass
    assert attempts.last(put_off=False) is not None
    with attempts.attempt("seal", 0, "the same"):
        pass
    assert attempts.last(put_off=False) is None and attempts.retry_delay("seal", [0]) == 0.0


def test_what_waits_for_memory_is_put_off_and_no_failure(attempts: Attempts) -> None:
    fail(attempts, NoRoom(2**60))
    assert attempts.last(put_off=False) is None
    assert str(2**60) in str(attempts.last(put_off=True))
    fail(attempts, StorageFull("full"), "compact")
    found = attempts.failure_of("index", "compact")
    assert found is not None and found.full and not found.put_off


def test_only_news_is_logged(attempts: Attempts, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        fail(attempts, DiskFailed("one"))
    fail(attempts, DiskFailed("two"))
    for needed in (1, 2, 3):
        fail(attempts, NoRoom(needed))
    said = [record.levelname for record in caplog.records]
    assert said == ["ERROR", "ERROR", "WARNING"]


def test_failures_of_columns_that_are_gone_are_not_told(attempts: Attempts) -> None:
    fail(attempts, DiskFailed("x"), column=7)
    assert attempts.last(put_off=False) is None
    attempts.failed("index", WHOLE, "of the collection")
    assert attempts.last(put_off=False) == "of the collection"


def test_damage_that_a_read_met_stays(attempts: Attempts) -> None:
    attempts.met("point 9007199254740993 is damaged")
    fail(attempts, ValueError("other"))
    with attempts.attempt("seal", 0, "again"):
        pass
    assert attempts.last(put_off=False) == "point 9007199254740993 is damaged"


def test_a_failed_sync_is_the_end_of_writes(collection_of: OpenCollection) -> None:
    writer = (collection := collection_of(config_of(2))).writer
    own = Attempts(writer, collection.upkeep.attempts.jobs, lambda: True)
    fail(own, SyncFailed("not synced"))
    assert writer.store.trouble is not None and "not synced" in writer.store.trouble
    assert own.last(put_off=False) is None, "who is told to end keeps no failure"
