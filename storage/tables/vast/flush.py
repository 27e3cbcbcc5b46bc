"""Sends what a write transaction has changed in one table, in as few requests as it takes."""

from collections import defaultdict
from collections.abc import Sequence

from storage.tables.vast.cluster import Cluster
from storage.tables.vast.write_buffer import Key, Memory


def send(cluster: Cluster, tx: int, memory: Memory) -> None:
    """Deletions, then updates, then new rows; nothing is pending then."""
    form = memory.form
    if memory.deleted:
        gone, memory.deleted = memory.deleted, {}
        cluster.delete(tx, form, form.row_ids(list(gone.values())))
    alike: dict[tuple[str, ...], list[Key]] = defaultdict(list)
    for key, values in memory.updated.items():
        alike[tuple(sorted(values))].append(key)
    for names, keys in alike.items():
        _update(cluster, tx, memory, names, keys)
    memory.updated.clear()
    if memory.inserted:
        rows, memory.inserted = memory.inserted, {}
        ids = []
        for batch in form.batches(list(rows.values()), list(form.columns)):
            ids += cluster.insert(tx, form, batch)
        memory.ids.update(zip(rows, ids, strict=True))


def _update(cluster: Cluster, tx: int, memory: Memory, names: Sequence[str], keys: Sequence[Key]) -> None:
    form = memory.form
    sent = 0
    for batch in form.batches([memory.updated[key] for key in keys], names):
        ids = [memory.ids[key] for key in keys[sent : sent + batch.num_rows]]
        sent += batch.num_rows
        cluster.update(tx, form, form.row_ids(ids), batch)
