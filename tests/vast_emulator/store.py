"""Schemas, tables and transactions: every transaction sees the state in which it began, and its own changes."""

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

from tests.vast_emulator.errors import Rejection
from tests.vast_emulator.versions import Block, Changes, Ids, Mask, Rows, with_columns

ConflictMode = Literal["statement", "commit"]
Operation = tuple[Any, ...]
"""A change of definitions: its name and arguments."""


@dataclass(frozen=True)
class Table:
    """A table as one transaction sees it. sorting_key: column names. projections: columns and their roles by name."""

    schema: pa.Schema
    sorting_key: tuple[str, ...]
    rows: Rows
    projections: dict[str, list[tuple[str, str]]]

    @property
    def id_type(self) -> pa.DataType:
        return pa.decimal128(38, 0) if self.sorting_key else pa.uint64()


Definitions = dict[tuple[str, ...], Table | None]
"""Tables by path; None for a bucket or schema. Never changed in place, so that a reference to one is a snapshot."""


@dataclass(eq=False)
class Transaction:
    """snapshot: number of the last commit that it sees. last_used: time.monotonic() of its last request."""

    id: int
    snapshot: int
    definitions: Definitions
    last_used: float
    operations: list[Operation] = field(default_factory=list)
    changes: dict[Rows, Changes] = field(default_factory=dict)

    def visible(self, rows: Rows) -> Iterator[tuple[Block, Mask]]:
        """Each block of a table, with the mask of the rows in it that this transaction sees."""
        return rows.visible(self.snapshot, self.changes.get(rows))


class Store:
    """All tables of one bucket. Callers hold `lock`.

    mode: whether a transaction that changes the same row as another fails at the statement or at the commit.
    folder: where every commit is logged before it is confirmed; a new store reads the log.
    idle_s: seconds after which an idle transaction is rolled back.
    """

    def __init__(self, bucket: str, mode: ConflictMode, folder: Path | None = None, idle_s: float = 30) -> None:
        self.lock = threading.RLock()
        self.bucket, self.mode, self.idle_s = bucket, mode, idle_s
        self.last_commit = 0
        self.definitions: Definitions = {(bucket,): None}
        self._tables: dict[int, Rows] = {}
        self._handles = itertools.count(1)
        self._transactions: dict[int, Transaction] = {}
        self._ids = itertools.count(time.time_ns() // 1000)
        self._log = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._log = (folder / "commits.log").open("ab+")
            self._replay_log()

    # Transactions.

    def begin(self) -> Transaction:
        now = time.monotonic()
        for idle in [tx for tx in self._transactions.values() if now - tx.last_used > self.idle_s]:
            self.rollback(idle)
        tx = Transaction(next(self._ids), self.last_commit, self.definitions, now)
        self._transactions[tx.id] = tx
        return tx

    def current_view(self) -> Transaction:
        """A view of what is committed now, for one read without a transaction."""
        return Transaction(0, self.last_commit, self.definitions, time.monotonic())

    def transaction(self, id_: int) -> Transaction:
        tx = self._transactions.get(id_)
        if tx is None:
            raise Rejection(404, "TabularNoSuchTransaction", f"transaction {id_} is not open")
        tx.last_used = time.monotonic()
        return tx

    def rollback(self, tx: Transaction) -> None:
        self._transactions.pop(tx.id, None)
        for rows, changes in tx.changes.items():
            for id_ in changes.ended:
                if rows.writers.get(id_) is tx:
                    del rows.writers[id_]

    def commit(self, tx: Transaction) -> None:
        self.rollback(tx)
        for rows, changes in tx.changes.items():
            lost = [id_ for id_ in changes.ended if rows.changed.get(id_, 0) > tx.snapshot]
            if lost:
                raise Rejection(409, "TabularConflict", f"row {lost[0]} was written by another transaction")
        if not tx.operations and not tx.changes:
            return
        changed = [
            (rows.handle, np.fromiter(changes.ended, np.int64, len(changes.ended)), changes.blocks)
            for rows, changes in tx.changes.items()
        ]
        # Fails here, before anything is done, where an operation has become impossible since.
        definitions = self._changed(self.definitions, tx.operations)
        if self._log is not None:
            parts = [(handle, ended, [(b.batch, b.ids, b.end) for b in blocks]) for handle, ended, blocks in changed]
            record = pickle.dumps((tx.operations, parts))
            self._log.write(struct.pack("<Q", len(record)) + record)
            self._log.flush()
            os.fsync(self._log.fileno())
        self._apply(definitions, changed)

    def _apply(self, definitions: Definitions, changed: list[tuple[int, Ids, list[Block]]]) -> None:
        self.definitions, self.last_commit = definitions, self.last_commit + 1
        oldest = min((tx.snapshot for tx in self._transactions.values()), default=self.last_commit)
        for handle, ended, blocks in changed:
            self._tables[handle].commit(ended, blocks, self.last_commit, oldest)

    def _replay_log(self) -> None:
        assert self._log is not None
        self._log.seek(0)
        complete = 0
        while len(head := self._log.read(8)) == 8:
            record = self._log.read(struct.unpack("<Q", head)[0])
            if len(record) < struct.unpack("<Q", head)[0]:
                break
            complete = self._log.tell()
            operations, parts = pickle.loads(record)
            definitions = self._changed(self.definitions, operations)
            changed = []
            for handle, ended, blocks in parts:
                logged = [Block(batch, ids, np.zeros(len(ids), np.int64), end) for batch, ids, end in blocks]
                changed.append((handle, ended, logged))
            self._apply(definitions, changed)
        self._log.truncate(complete)

    # Definitions.

    def new_handle(self) -> int:
        return next(self._handles)

    def change(self, tx: Transaction, *operation: Any) -> None:
        """Change definitions in `tx`. Raises Rejection where that fails there, or with what is committed by now."""
        tx.definitions = self._changed(tx.definitions, [operation])
        self._changed(self.definitions, [*tx.operations, operation])
        tx.operations.append(operation)

    def _changed(self, definitions: Definitions, operations: list[Operation]) -> Definitions:
        definitions = dict(definitions)
        for name, *arguments in operations:
            getattr(self, f"_{name}")(definitions, *arguments)
        return definitions

    def _create_schema(self, definitions: Definitions, path: tuple[str, ...]) -> None:
        if path in definitions:
            raise Rejection(409, "TabularSchemaExists", "/".join(path))
        definitions[path] = None

    def _drop(self, definitions: Definitions, path: tuple[str, ...]) -> None:
        if path not in definitions:
            raise Rejection(404, "TabularNoSuchEntity", "/".join(path))
        if any(other[:-1] == path for other in definitions):
            raise Rejection(409, "TabularSchemaNotEmpty", "/".join(path))
        del definitions[path]

    def _create_table(
        self,
        definitions: Definitions,
        path: tuple[str, ...],
        schema: pa.Schema,
        sorting_key: tuple[str, ...],
        handle: int,
    ) -> None:
        if path[:-1] not in definitions:
            raise Rejection(404, "TabularNoSuchSchema", "/".join(path[:-1]))
        if path in definitions:
            raise Rejection(409, "TabularTableExists", "/".join(path))
        rows = self._tables.setdefault(handle, Rows(handle))
        self._handles = itertools.count(max(self._tables) + 1)
        definitions[path] = Table(schema, sorting_key, rows, {})

    def _add_columns(self, definitions: Definitions, path: tuple[str, ...], added: pa.Schema) -> None:
        table = self.find(definitions, path)
        if set(added.names) & set(table.schema.names):
            raise Rejection(409, "TabularColumnExists", str(added.names))
        definitions[path] = replace(table, schema=pa.schema([*table.schema, *added]))

    def _set_projection(
        self, definitions: Definitions, path: tuple[str, ...], name: str, columns: list[tuple[str, str]] | None
    ) -> None:
        table = self.find(definitions, path)
        if columns is not None and name in table.projections:
            raise Rejection(409, "TabularProjectionExists", name)
        if columns is None and name not in table.projections:
            raise Rejection(404, "TabularNoSuchProjection", name)
        others = {key: value for key, value in table.projections.items() if key != name}
        definitions[path] = replace(table, projections=others | ({name: columns} if columns is not None else {}))

    @staticmethod
    def find(definitions: Definitions, path: tuple[str, ...]) -> Table:
        table = definitions.get(path)
        if table is None:
            raise Rejection(404, "TabularNoSuchTable", "/".join(path))
        return table

    # Rows.

    def insert(self, tx: Transaction, table: Table, batch: pa.RecordBatch) -> Ids:
        """Insert rows and return their ids."""
        ids = table.rows.new_ids(batch.num_rows)
        tx.changes.setdefault(table.rows, Changes()).blocks.append(Block.new(batch, ids))
        return ids

    def update(self, tx: Transaction, table: Table, ids: Ids, values: pa.RecordBatch) -> None:
        """Set the columns of `values`, which has one row for each of `ids`, in their order."""
        forbidden = [name for name in values.schema.names if name in table.sorting_key]
        if forbidden:
            raise Rejection(400, "InvalidArgument", f"column {forbidden[0]} of the sorting key cannot be updated")
        old, batch = self._end_versions(tx, table, ids)
        order = np.argsort(ids)[np.searchsorted(np.sort(ids), old)]
        for name in values.schema.names:
            at = batch.schema.get_field_index(name)
            batch = batch.set_column(at, batch.schema.field(at), values[name].take(pa.array(order)))
        tx.changes[table.rows].blocks.append(Block.new(batch, old))

    def delete(self, tx: Transaction, table: Table, ids: Ids) -> None:
        self._end_versions(tx, table, ids)

    def _end_versions(self, tx: Transaction, table: Table, ids: Ids) -> tuple[Ids, pa.RecordBatch]:
        """End the versions of these rows that `tx` sees. Returns their ids and columns, in another order."""
        rows = table.rows
        own = tx.changes.setdefault(rows, Changes())
        found = [(block, np.isin(block.ids, ids) & mask) for block, mask in tx.visible(rows)]
        found = [(block, mask) for block, mask in found if mask.any()]
        if sum(int(mask.sum()) for _, mask in found) != len(ids):
            raise Rejection(404, "TabularRowNotFound", f"{ids[:3].tolist()} of table {rows.handle}")
        committed = [(b, m) for b, m in found if not any(b is block for block in own.blocks)]
        committed_ids: list[int] = [id_ for block, mask in committed for id_ in block.ids[mask].tolist()]
        for id_ in committed_ids if self.mode == "statement" else ():
            if rows.changed.get(id_, 0) > tx.snapshot or rows.writers.get(id_, tx) is not tx:
                raise Rejection(409, "TabularConflict", f"row {id_} was written by another transaction")
        batches = [with_columns(block.batch.filter(pa.array(mask)), table.schema) for block, mask in found]
        old = np.concatenate([block.ids[mask] for block, mask in found])
        for block, mask in found:
            if any(block is each for each in own.blocks):
                block.end[mask] = 0
        own.ended.update(committed_ids)
        rows.writers.update(dict.fromkeys(committed_ids, tx))
        return old, pa.concat_batches(batches)
