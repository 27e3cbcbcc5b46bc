"""Changes of classes that spread, of several writers at once: no two wait for each other's locks for ever."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest

from storage.catalog import Catalog, Limits
from storage.catalog.access_rules import AccessRules
from storage.catalog.clock import clock
from storage.tables import postgresql
from storage.tables.engine import Engine
from tests.conformance.kit.documents import flow
from tests.engines.access_store import ADMIN, TAG
from tests.unit.catalogs import OtherServers

_ROUNDS = 10


@pytest.fixture
def deadlocks(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """The deadlocks that PostgreSQL reports."""
    found: list[BaseException] = []
    translate = postgresql._translate

    def record(error: BaseException | None) -> Any:
        if isinstance(error, psycopg.errors.DeadlockDetected):
            found.append(error)
        return translate(error)

    monkeypatch.setattr(postgresql, "_translate", record)
    return found


def test_changes_that_meet_do_not_deadlock(
    open_postgres: Callable[..., Engine], deadlocks: list[BaseException]
) -> None:
    """Two flows collect each other, and lose and gain their members in the change that spreads to these."""
    rules = AccessRules(spreads=True)
    catalog = Catalog(open_postgres(), {}, Limits(), clock, OtherServers(), access=rules)
    first, second, shared = (flow(tags={TAG: ["a_read"]}) for _ in range(3))
    for document in (first, second, shared):
        catalog.flows.put(ADMIN, document["id"], document)

    def tag(document: dict[str, Any], name: str) -> None:
        for number in range(_ROUNDS):
            catalog.flows.set_tag(ADMIN, document["id"], TAG, ["a_read", *([name] if number % 2 else [])])

    def tag_source(document: dict[str, Any], name: str) -> None:
        for number in range(_ROUNDS):
            catalog.sources.set_tag(ADMIN, document["source_id"], TAG, ["a_read", *([name] if number % 2 else [])])

    def collect(document: dict[str, Any], other: dict[str, Any], name: str) -> None:
        for number in range(_ROUNDS):
            items = [{"id": each["id"], "role": "member"} for each in (other, shared)[number % 2 :]]
            tags = {TAG: ["a_read", f"{name}{number}_read"]}
            catalog.flows.put(ADMIN, document["id"], {**document, "tags": tags, "flow_collection": items})

    work = [
        partial(collect, first, second, "x"),
        partial(collect, second, first, "y"),
        partial(tag, first, "t_read"),
        partial(tag, shared, "u_read"),
        partial(tag_source, second, "s_read"),
    ]
    with ThreadPoolExecutor(len(work)) as pool:
        for done in [pool.submit(each) for each in work]:
            done.result()
    assert deadlocks == []
    catalog.flows.set_tag(ADMIN, first["id"], TAG, ["last_read"])
    assert "last_read" in catalog.flows.member(ADMIN, shared["id"], "tags")[TAG]
