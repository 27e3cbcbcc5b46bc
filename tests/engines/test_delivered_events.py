"""Workers that deliver one event to several webhooks at once: the event is removed with its last delivery."""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TypeVar

import pytest

from storage.catalog import Limits
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.job_kinds import DELIVERY
from storage.catalog.jobs import Claim, Jobs, JobSelection
from storage.catalog.webhooks.deliveries import Deliveries, Delivery
from storage.errors import Contended
from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.tables.engine import Engine

EVENTS = 12
NOW = 1_800_000_000 * SECOND
HOOKS = ("first", "second")
Result = TypeVar("Result")


@pytest.fixture
def workers(engine_url: str) -> Iterator[list[Environment]]:
    """One for each webhook, with connections of its own, as processes would have."""
    with closing(open_engine(engine_url)) as first, closing(open_engine(engine_url)) as second:
        yield [Environment(engine, {}, Limits(), lambda: NOW) for engine in (first, second)]


def _claim(env: Environment, webhook_id: str) -> Claim:
    where = equals(kind=DELIVERY, key=webhook_id)
    return _until_done(lambda: Jobs(env).claim("a worker", [JobSelection(where, 1)]))[0]


def _until_done(change: Callable[[], Result]) -> Result:
    """Repeat a change whose transaction lost against another."""
    for _ in range(100):
        with contextlib.suppress(Contended):
            return change()
    raise AssertionError("the transaction never succeeded")


def test_an_event_goes_with_the_last_of_deliveries_that_end_together(
    engine: Engine, workers: list[Environment]
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(EVENTS)]
    job = {"kind": DELIVERY, "due": NOW, "attempts": 0, "created": NOW, "doc": {}}
    with engine.write() as tx:
        tx.insert("jobs", [{**job, "key": hook} for hook in HOOKS])
        tx.insert("events", [{"id": id_, "position": n, "pending": False, "doc": {}} for n, id_ in enumerate(ids)])
        deliveries = [(hook, n, id_) for hook in HOOKS for n, id_ in enumerate(ids)]
        tx.insert("deliveries", [{"webhook_id": hook, "position": n, "event_id": id_} for hook, n, id_ in deliveries])
    together = threading.Barrier(len(HOOKS), timeout=60)

    def deliver(env: Environment, webhook_id: str) -> None:
        claim = _claim(env, webhook_id)
        for position, event_id in enumerate(ids):
            together.wait()
            delivery = Delivery(webhook_id, position, event_id)
            _until_done(partial(Deliveries(env).drop, claim, [delivery]))

    with ThreadPoolExecutor(len(HOOKS)) as pool:
        list(pool.map(deliver, workers, HOOKS))
    with engine.read() as tx:
        assert tx.select("deliveries") == []
        assert tx.select("events") == []
