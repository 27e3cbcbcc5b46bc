"""Send the pending changes of a write transaction to one table, in as few requests as possible."""

from collections import defaultdict
from collections.abc import Sequence

from storage.tables.vast.cluster import Cluster
from storage.tables.vast.write_buffer import Key, WriteBuffer


def flush(cluster: Cluster, tx: int, buffer: WriteBuffer) -> None:
    """Send deletions, then updates, then new rows. Afterwards nothing is pending in `buffer`."""
    layout = buffer.layout
    if buffer.deleted:
        deleted, buffer.deleted = buffer.deleted, {}
        cluster.delete(tx, layout, layout.row_ids(list(deleted.values())))
    keys_by_columns: dict[tuple[str, ...], list[Key]] = defaultdict(list)
    for key, values in buffer.updated.items():
        keys_by_columns[tuple(sorted(values))].append(key)
    for names, keys in keys_by_columns.items():
        _send_updates(cluster, tx, buffer, names, keys)
    buffer.updated.clear()
    if buffer.inserted:
        rows, buffer.inserted = buffer.inserted, {}
        ids = []
        for batch in layout.batches(list(rows.values()), list(layout.columns)):
            ids += cluster.insert(tx, layout, batch)
        buffer.ids.update(zip(rows, ids, strict=True))


def _send_updates(cluster: Cluster, tx: int, buffer: WriteBuffer, names: Sequence[str], keys: Sequence[Key]) -> None:
    layout = buffer.layout
    sent = 0
    for batch in layout.batches([buffer.updated[key] for key in keys], names):
        ids = [buffer.ids[key] for key in keys[sent : sent + batch.num_rows]]
        sent += batch.num_rows
        cluster.update(tx, layout, layout.row_ids(ids), batch)
