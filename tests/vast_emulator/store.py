"""Tables in versions: every transaction sees the rows as they were when it began, and its own changes.

Rows lie in blocks of Arrow columns, each row with its id and the range of commits in which it holds. A commit adds a
block; neighbours of like size are merged, so that there are never many. An update is an end and a new version.
"""

import itertools
import os
import pickle
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from tests.vast_emulator.errors import Refusal

FOREVER = 2**62
ConflictMode = Literal["statement", "commit"]
Operation = tuple[str, ...] | tuple[Any, ...]
"""A change of the catalogue: its name and arguments."""


@dataclass(eq=False)
class Block:
    """Versions of rows: columns, row ids, the first commit in which each holds and the first in which no longer."""

    batch: pa.RecordBatch
    ids: np.ndarray
    begin: np.ndarray
    end: np.ndarray

    @classmethod
    def fresh(cls, batch: pa.RecordBatch, ids: np.ndarray) -> "Block":
        count = batch.num_rows
        return cls(batch, ids, np.zeros(count, np.int64), np.full(count, FOREVER))

    def kept(self, keep: np.ndarray) -> "Block":
        if keep.all():
            return self
        return Block(self.batch.filter(pa.array(keep)), self.ids[keep], self.begin[keep], self.end[keep])


@dataclass(eq=False)
class Rows:
    """What a table holds. changed: the last commit that updated or deleted a row; writers: who is about to."""

    handle: int
    next_id: int = 0
    blocks: list[Block] = field(default_factory=list)
    changed: dict[int, int] = field(default_factory=dict)
    writers: dict[int, "Transaction"] = field(default_factory=dict)

    def take_ids(self, count: int) -> np.ndarray:
        self.next_id += count
        return np.arange(self.next_id - count, self.next_id, dtype=np.int64)

    def commit(self, gone: np.ndarray, added: list[Block], moment: int, oldest: int) -> None:
        """End the versions of the rows `gone` and add `added`. oldest: no open transaction looks further back."""
        for block in self.blocks if len(gone) else ():
            block.end[np.isin(block.ids, gone) & (block.end == FOREVER)] = moment
        self.changed.update(dict.fromkeys(gone.tolist(), moment))
        for block in added:
            living = block.kept(block.end == FOREVER)
            living.begin[:] = moment
            self.blocks.append(living)
            self.next_id = max(self.next_id, int(living.ids.max(initial=-1)) + 1)
        while len(self.blocks) > 1 and len(self.blocks[-2].ids) < 2 * len(self.blocks[-1].ids):
            pair = [block.kept(block.end > oldest) for block in self.blocks[-2:]]
            self.blocks[-2:] = [_merged(pair)]


def _merged(blocks: list[Block]) -> Block:
    schema = max((block.batch.schema for block in blocks), key=len)
    batch = pa.concat_batches([widened(block.batch, schema) for block in blocks])
    joined = [np.concatenate([getattr(block, name) for block in blocks]) for name in ("ids", "begin", "end")]
    return Block(batch, *joined)


def widened(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """`batch` with the columns of `schema`, null where it was written before they were added."""
    if batch.schema.names == schema.names:
        return batch
    known = set(batch.schema.names)
    columns = [batch[f.name] if f.name in known else pa.nulls(batch.num_rows, f.type) for f in schema]
    return pa.record_batch(columns, schema=pa.schema([f.with_nullable(True) for f in schema]))


@dataclass(frozen=True)
class Table:
    """A table as one transaction sees it. sort: names of the sorting key's columns; projections: columns by name."""

    schema: pa.Schema
    sort: tuple[str, ...]
    rows: Rows
    projections: dict[str, list[tuple[str, str]]]

    @property
    def id_type(self) -> pa.DataType:
        return pa.decimal128(38, 0) if self.sort else pa.uint64()


Catalogue = dict[tuple[str, ...], Any]
"""Path -> Table, or None for a schema. Never changed in place, so that a reference to one is a snapshot."""


@dataclass(eq=False)
class Changes:
    """Of one table in a transaction: committed rows that it ended, and versions of its own."""

    gone: set[int] = field(default_factory=set)
    blocks: list[Block] = field(default_factory=list)


@dataclass(eq=False)
class Transaction:
    id: int
    seen: int
    catalogue: Catalogue
    touched: float
    operations: list[Operation] = field(default_factory=list)
    changes: dict[Rows, Changes] = field(default_factory=dict)

    def visible(self, rows: Rows) -> Iterator[tuple[Block, np.ndarray]]:
        """Each block of a table with the mask of the rows in it that this transaction sees."""
        mine = self.changes.get(rows)
        gone = np.fromiter(mine.gone, np.int64, len(mine.gone)) if mine and mine.gone else None
        for block in rows.blocks:
            mask = (block.begin <= self.seen) & (block.end > self.seen)
            if gone is not None:
                mask &= ~np.isin(block.ids, gone)
            yield block, mask
        for block in mine.blocks if mine else ():
            yield block, block.end == FOREVER


class Store:
    """All tables. mode: where two transactions that write one row learn of it. idle_s: when an open one is given up.

    With a folder, every commit is in its log before it is answered, and a new store starts from there.
    """

    def __init__(self, bucket: str, mode: ConflictMode, folder: Path | None = None, idle_s: float = 30) -> None:
        self.lock = threading.RLock()
        self.bucket, self.mode, self.idle_s = bucket, mode, idle_s
        self.moment = 0
        self.catalogue: Catalogue = {(bucket,): None}
        self._tables: dict[int, Rows] = {}
        self._handles = itertools.count(1)
        self._transactions: dict[int, Transaction] = {}
        self._ids = itertools.count(time.time_ns() // 1000)
        self._log = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._log = (folder / "commits.log").open("ab+")
            self._replay()

    def begin(self) -> Transaction:
        now = time.monotonic()
        for idle in [tx for tx in self._transactions.values() if now - tx.touched > self.idle_s]:
            self.rollback(idle)
        tx = Transaction(next(self._ids), self.moment, self.catalogue, now)
        self._transactions[tx.id] = tx
        return tx

    def moment_now(self) -> Transaction:
        """To read by, once: what is committed at this moment."""
        return Transaction(0, self.moment, self.catalogue, time.monotonic())

    def transaction(self, id_: int) -> Transaction:
        tx = self._transactions.get(id_)
        if tx is None:
            raise Refusal(404, "TabularNoSuchTransaction", f"{id_} is not open")
        tx.touched = time.monotonic()
        return tx

    def rollback(self, tx: Transaction) -> None:
        self._transactions.pop(tx.id, None)
        for rows, changes in tx.changes.items():
            for id_ in changes.gone:
                if rows.writers.get(id_) is tx:
                    del rows.writers[id_]

    def commit(self, tx: Transaction) -> None:
        self.rollback(tx)
        for rows, changes in tx.changes.items():
            lost = [id_ for id_ in changes.gone if rows.changed.get(id_, 0) > tx.seen]
            if lost:
                raise Refusal(409, "TabularConflict", f"row {lost[0]} was written by another transaction")
        if not tx.operations and not tx.changes:
            return
        moved = [
            (rows.handle, np.fromiter(changes.gone, np.int64, len(changes.gone)), changes.blocks)
            for rows, changes in tx.changes.items()
        ]
        # A change of the catalogue that has become impossible is found before anything is done.
        catalogue = self._changed(self.catalogue, tx.operations)
        if self._log is not None:
            parts = [(handle, gone, [(b.batch, b.ids, b.end) for b in blocks]) for handle, gone, blocks in moved]
            record = pickle.dumps((tx.operations, parts))
            self._log.write(struct.pack("<Q", len(record)) + record)
            self._log.flush()
            os.fsync(self._log.fileno())
        self._apply(catalogue, moved)

    def _apply(self, catalogue: Catalogue, moved: list[tuple[int, np.ndarray, list[Block]]]) -> None:
        self.catalogue, self.moment = catalogue, self.moment + 1
        oldest = min((tx.seen for tx in self._transactions.values()), default=self.moment)
        for handle, gone, blocks in moved:
            self._tables[handle].commit(gone, blocks, self.moment, oldest)

    def _replay(self) -> None:
        assert self._log is not None
        self._log.seek(0)
        good = 0
        while len(head := self._log.read(8)) == 8:
            record = self._log.read(struct.unpack("<Q", head)[0])
            if len(record) < struct.unpack("<Q", head)[0]:
                break
            good = self._log.tell()
            operations, parts = pickle.loads(record)
            catalogue = self._changed(self.catalogue, operations)
            moved = []
            for handle, gone, blocks in parts:
                fresh = [Block(batch, ids, np.zeros(len(ids), np.int64), end) for batch, ids, end in blocks]
                moved.append((handle, gone, fresh))
            self._apply(catalogue, moved)
        self._log.truncate(good)

    # The catalogue.

    def new_handle(self) -> int:
        return next(self._handles)

    def change(self, tx: Transaction, *operation: Any) -> None:
        """Do one change of the catalogue in `tx`. Raises Refusal where it cannot be done there, or no longer."""
        tx.catalogue = self._changed(tx.catalogue, [operation])
        self._changed(self.catalogue, [*tx.operations, operation])
        tx.operations.append(operation)

    def _changed(self, catalogue: Catalogue, operations: list[Operation]) -> Catalogue:
        catalogue = dict(catalogue)
        for name, *arguments in operations:
            getattr(self, f"_{name}")(catalogue, *arguments)
        return catalogue

    def _create_schema(self, catalogue: Catalogue, path: tuple[str, ...]) -> None:
        if path in catalogue:
            raise Refusal(409, "TabularSchemaExists", "/".join(path))
        catalogue[path] = None

    def _drop(self, catalogue: Catalogue, path: tuple[str, ...]) -> None:
        if path not in catalogue:
            raise Refusal(404, "TabularNoSuchEntity", "/".join(path))
        if any(other[:-1] == path for other in catalogue):
            raise Refusal(409, "TabularSchemaNotEmpty", "/".join(path))
        del catalogue[path]

    def _create_table(
        self, catalogue: Catalogue, path: tuple[str, ...], schema: pa.Schema, sort: tuple[str, ...], handle: int
    ) -> None:
        if path[:-1] not in catalogue:
            raise Refusal(404, "TabularNoSuchSchema", "/".join(path[:-1]))
        if path in catalogue:
            raise Refusal(409, "TabularTableExists", "/".join(path))
        rows = self._tables.setdefault(handle, Rows(handle))
        self._handles = itertools.count(max(self._tables) + 1)
        catalogue[path] = Table(schema, sort, rows, {})

    def _add_columns(self, catalogue: Catalogue, path: tuple[str, ...], added: pa.Schema) -> None:
        table = self.find(catalogue, path)
        if set(added.names) & set(table.schema.names):
            raise Refusal(409, "TabularColumnExists", str(added.names))
        catalogue[path] = replace(table, schema=pa.schema([*table.schema, *added]))

    def _set_projection(
        self, catalogue: Catalogue, path: tuple[str, ...], name: str, columns: list[tuple[str, str]] | None
    ) -> None:
        table = self.find(catalogue, path)
        if (name in table.projections) == (columns is not None):
            raise Refusal(*((409, "TabularProjectionExists") if columns else (404, "TabularNoSuchProjection")), name)
        others = {key: value for key, value in table.projections.items() if key != name}
        catalogue[path] = replace(table, projections=others | ({name: columns} if columns is not None else {}))

    @staticmethod
    def find(catalogue: Catalogue, path: tuple[str, ...]) -> Table:
        table = catalogue.get(path)
        if table is None:
            raise Refusal(404, "TabularNoSuchTable", "/".join(path))
        return table

    # Rows.

    def insert(self, tx: Transaction, table: Table, batch: pa.RecordBatch) -> np.ndarray:
        ids = table.rows.take_ids(batch.num_rows)
        tx.changes.setdefault(table.rows, Changes()).blocks.append(Block.fresh(batch, ids))
        return ids

    def update(self, tx: Transaction, table: Table, ids: np.ndarray, values: pa.RecordBatch) -> None:
        """Give the rows `ids` new values in the columns of `values`, which has a row for each, in their order."""
        refused = [name for name in values.schema.names if name in table.sort]
        if refused:
            raise Refusal(400, "InvalidArgument", f"column {refused[0]} of the sorting key cannot be updated")
        old, batch = self._end(tx, table, ids)
        order = np.argsort(ids)[np.searchsorted(np.sort(ids), old)]
        for name in values.schema.names:
            at = batch.schema.get_field_index(name)
            batch = batch.set_column(at, batch.schema.field(at), values[name].take(pa.array(order)))
        tx.changes[table.rows].blocks.append(Block.fresh(batch, old))

    def delete(self, tx: Transaction, table: Table, ids: np.ndarray) -> None:
        self._end(tx, table, ids)

    def _end(self, tx: Transaction, table: Table, ids: np.ndarray) -> tuple[np.ndarray, pa.RecordBatch]:
        """End the versions that `tx` sees of these rows; their ids and columns, in an order of their own."""
        rows = table.rows
        mine = tx.changes.setdefault(rows, Changes())
        found = [(block, np.isin(block.ids, ids) & mask) for block, mask in tx.visible(rows)]
        found = [(block, mask) for block, mask in found if mask.any()]
        if sum(int(mask.sum()) for _, mask in found) != len(ids):
            raise Refusal(404, "TabularRowNotFound", f"{ids[:3].tolist()} of table {rows.handle}")
        committed = [(b, m) for b, m in found if not any(b is own for own in mine.blocks)]
        theirs = [id_ for block, mask in committed for id_ in block.ids[mask].tolist()]
        for id_ in theirs if self.mode == "statement" else ():
            if rows.changed.get(id_, 0) > tx.seen or rows.writers.get(id_, tx) is not tx:
                raise Refusal(409, "TabularConflict", f"row {id_} was written by another transaction")
        batches = [widened(block.batch.filter(pa.array(mask)), table.schema) for block, mask in found]
        old = np.concatenate([block.ids[mask] for block, mask in found])
        for block, mask in found:
            if any(block is own for own in mine.blocks):
                block.end[mask] = 0
        mine.gone.update(theirs)
        rows.writers.update(dict.fromkeys(theirs, tx))
        return old, pa.concat_batches(batches)
