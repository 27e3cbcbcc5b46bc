"""Bytes that nothing names any more: removed by workers, each by one of them at a time.

A worker that takes some puts their time off, so that no other takes them meanwhile, and forgets them when the bytes are
gone. Until then no id is given out again, nor an object copied there: what is removed is never what came later.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable

from storage.catalog.environment import SECOND, Environment
from storage.errors import Unavailable
from storage.tables.conditions import Compare, In, equals
from storage.tables.engine import Row

_log = logging.getLogger(__name__)

_AT_ONCE = 200


def remove_due(env: Environment) -> bool:
    """Remove a batch of the bytes that are due. False when there were none."""
    rows, until = _take(env)
    removed: list[Row] = []
    failures: dict[str, str] = {}
    for row in rows:
        if env.clock() >= until:
            break
        store = env.stores.get(row["storage_id"])
        if store is None:
            failures[row["storage_id"]] = "no such storage backend is configured"
            continue
        try:
            store.delete(row["object_id"])
        except Unavailable as error:
            failures[row["storage_id"]] = error.message
        else:
            removed.append(row)
    for storage_id, reason in failures.items():
        _log.warning("bytes on storage backend %s wait to be removed: %s", storage_id, reason)
    if removed:
        with env.engine.write() as tx:
            for storage_id, ids in _by_backend(removed):
                place = [*equals(storage_id=storage_id, due=until), In("object_id", ids)]
                tx.delete("garbage", place)
    return bool(rows)


def _take(env: Environment) -> tuple[list[Row], int]:
    """Rows that this worker alone removes, and until when."""
    now = env.clock()
    until = now + env.limits.deletion_lease_s * SECOND
    due = [Compare("due", "<=", now)]
    with env.engine.read() as tx:
        if not tx.select("garbage", due, limit=1):
            return [], until
    with env.engine.write() as tx:
        tx.lock("garbage")
        rows = tx.select("garbage", due, order=("due",), limit=_AT_ONCE)
        for storage_id, ids in _by_backend(rows):
            tx.update("garbage", [*equals(storage_id=storage_id), In("object_id", ids)], {"due": until})
    return rows, until


def _by_backend(rows: Iterable[Row]) -> Iterable[tuple[str, list[str]]]:
    ids: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        ids[row["storage_id"]].append(row["object_id"])
    return ids.items()
