"""Every writer of segments checks whether any webhook is enabled: it must never miss one that is."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from storage.tables.transaction import Writer
from tests.engines.rows import flow_row
from tests.engines.trying import until_done

ROUNDS = 15


@pytest.fixture
def others(engine_url: str, engine: Engine) -> Iterator[list[Engine]]:
    """Two more engines, as other processes would have them, on the same database with one flow."""
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f")])
    engines = [open_engine(engine_url) for _ in range(2)]
    yield engines
    for other in engines:
        other.close()


def _webhook(id_: str, *, enabled: bool = True) -> dict[str, Any]:
    row = {"url": "u", "status": "created", "owner": "o", "base_url": "b", "created": 0, "since": 0, "doc": {}}
    return {**row, "id": id_, "enabled": enabled}


def _is_heard(engine: Engine) -> bool:
    """Check as a writer of segments does, in the transaction that has locked the flow."""
    with engine.write() as tx:
        tx.lock("flow:f")
        return bool(tx.select("webhooks", equals(enabled=True), limit=1, columns=["id"]))


def test_a_webhook_enabled_by_one_process_is_seen_by_another_immediately(engine: Engine, others: list[Engine]) -> None:
    reader, writer = others
    assert not _is_heard(reader)
    steps: list[tuple[Callable[[Writer], Any], bool]] = [
        (lambda tx: tx.insert("webhooks", [_webhook("off", enabled=False)]), False),
        (lambda tx: tx.insert("webhooks", [_webhook("on")]), True),
        (lambda tx: tx.update("webhooks", equals(id="off"), {"enabled": True}), True),
        (lambda tx: tx.delete("webhooks", equals(id="on")), True),
        (lambda tx: tx.update("webhooks", equals(id="off"), {"failing_since": 1}), True),
        (lambda tx: tx.update("webhooks", equals(id="off"), {"enabled": False}), False),
        (lambda tx: tx.delete("webhooks", equals(id="off")), False),
    ]
    for number, (change, heard) in enumerate(steps):
        with writer.write() as tx:
            tx.lock("flow:f")
            change(tx)
            assert bool(tx.select("webhooks", equals(enabled=True), limit=1, columns=["id"])) is heard, number
        assert _is_heard(reader) is heard, number
        assert _is_heard(engine) is heard, number


def test_a_change_that_is_rolled_back_is_not_seen(engine: Engine, others: list[Engine]) -> None:
    class Undo(Exception):
        pass

    with pytest.raises(Undo), others[0].write() as tx:
        tx.insert("webhooks", [_webhook("w")])
        raise Undo
    assert not _is_heard(engine)


@pytest.mark.timeout(120)
def test_the_last_enabled_webhook_is_never_overlooked(engine: Engine, others: list[Engine]) -> None:
    """In each round one process disables the only webhook while another enables one: in either order, one is left."""
    with engine.write() as tx:
        tx.insert("webhooks", [_webhook("0")])
    for number in range(ROUNDS):
        start = threading.Barrier(2, timeout=30)

        def leave(n: int = number, start: threading.Barrier = start) -> None:
            start.wait()
            until_done(others[0], lambda tx: tx.update("webhooks", equals(id=f"{n}"), {"enabled": False}))

        def come(n: int = number, start: threading.Barrier = start) -> None:
            start.wait()
            until_done(others[1], lambda tx: tx.insert("webhooks", [_webhook(f"{n + 1}")]))

        threads = [threading.Thread(target=leave), threading.Thread(target=come)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert _is_heard(engine), number
