"""Retries of transactions that may lose against others."""

import time
from collections.abc import Callable
from typing import Any

from storage.errors import Unavailable
from storage.tables.engine import Engine
from storage.tables.transaction import Writer


def until_done(engine: Engine, change: Callable[[Writer], Any], tries: int = 1000) -> None:
    """Make the change in a transaction, and retry it while others come first or the database is unavailable."""
    for _ in range(tries):
        try:
            with engine.write() as tx:
                change(tx)
        except Unavailable:
            time.sleep(0.005)
            continue
        return
    raise AssertionError("the transaction never succeeded")
