"""The Engine for VAST Database."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import pyarrow as pa
from vastdb.table_metadata import TableMetadata, TableRef, TableType

from storage.errors import Contended, Unavailable
from storage.tables.engine import Engine, T
from storage.tables.transaction import Reader, Writer
from storage.tables.vast.address import Address, parse_address
from storage.tables.vast.cluster import CONTENTION_BACKOFF, Cluster
from storage.tables.vast.density import DensityCache
from storage.tables.vast.layout import LAYOUTS, LOCK_SLOTS, LOCKS, TableLayout
from storage.tables.vast.locks import LockQueues
from storage.tables.vast.projections import enable_projections
from storage.tables.vast.reader import VastDirectReader, VastReader
from storage.tables.vast.upgrade import add_classes, create_flags, migrate_flow_state
from storage.tables.vast.writer import VastWriter
from storage.waiting import about_to_wait

_log = logging.getLogger(__name__)

_CREATE_ATTEMPTS = 12


class VastEngine(Engine):
    """The catalogue's tables in one schema of a cluster's bucket. No request is sent before create() or the first read.

    Tables that are read by ranges of their key are sorted by it (docs/vast.md). Every write transaction that changes
    what others may change locks rows first, so that of two concurrent ones one fails before its commit.
    """

    def __init__(self, url: str, secret: str | None = None) -> None:
        self.address: Address = parse_address(url, secret)
        self.cluster = Cluster(self.address)
        self._densities = DensityCache()
        name = f"{self.address.endpoint}/{self.address.bucket}/{self.address.schema}"
        self._queues = LockQueues(name if self.address.queue_locally else None)

    def create(self) -> None:
        """Create the schema and the tables that are missing, and check the others.

        Raises ValueError where the bucket does not exist or a table has the wrong columns or sorting key, and
        Unavailable where the cluster cannot be reached.
        """
        for attempt in range(_CREATE_ATTEMPTS):
            try:
                self._create()
                return
            except Contended:  # Another process is creating them.
                if attempt == _CREATE_ATTEMPTS - 1:
                    raise
            time.sleep(CONTENTION_BACKOFF.pause_s(attempt))

    def enable_projections(self) -> None:
        enable_projections(self.cluster)

    def _create(self) -> None:
        with self.cluster.schema_transaction() as schema:
            existing = set(schema.tablenames())
            for layout in LAYOUTS.values():
                if layout.name in existing:
                    self._check(schema, layout)
                else:
                    self._create_table(schema, layout)
            create_flags(self.cluster, schema.tx.active_txid)
            if "flow_state" in existing:
                migrate_flow_state(self.cluster, schema)
            if "tags" in existing and "classes" not in existing:
                add_classes(self.cluster, schema.tx.active_txid)

    def _create_table(self, schema: Any, layout: TableLayout) -> None:
        tx = schema.tx.active_txid
        self.cluster.session.api.create_table(
            schema.bucket.name, schema.name, layout.name, layout.schema, txid=tx, sorting_key=list(layout.sorting_key)
        )
        if layout.name == LOCKS:
            slots = pa.array(range(LOCK_SLOTS), pa.int64())
            holders = pa.array([""] * LOCK_SLOTS)
            self.cluster.insert(tx, layout, pa.record_batch([slots, holders], schema=layout.schema))
        _log.info("VAST database: created table %s", layout.name)

    def _check(self, schema: Any, layout: TableLayout) -> None:
        """Check an existing table, and add columns that are missing and may be null. Raises ValueError."""
        actual = TableMetadata(TableRef(schema.bucket.name, schema.name, layout.name))
        actual.load(schema.tx)
        found = {field.name: field.type for field in actual.arrow_schema}
        expected = {field.name: field.type for field in layout.schema}
        missing = [field for field in layout.schema if field.name not in found]
        if any(not layout.columns[field.name].nullable for field in missing) or any(
            found[name] != type_ for name, type_ in expected.items() if name in found
        ):
            raise ValueError(f"VAST table {layout.name} has columns {found}; expected {expected}")
        is_sorted = actual.table_type is TableType.Elysium
        sorting_key = tuple(field.name for field in actual.sorted_columns) if is_sorted else ()
        if sorting_key != layout.sorting_key:
            raise ValueError(f"VAST table {layout.name} is sorted by {sorting_key}; expected {layout.sorting_key}")
        if missing:
            self.cluster.session.api.add_columns(
                schema.bucket.name, schema.name, layout.name, pa.schema(missing), txid=schema.tx.active_txid
            )

    def read(self) -> AbstractContextManager[Reader]:
        about_to_wait()
        return closing(VastReader(self.cluster, self._densities))

    def read_once(self) -> AbstractContextManager[VastDirectReader]:
        about_to_wait()
        return closing(VastDirectReader(self.cluster, self._densities))

    def read_under(self, lock: str, read: Callable[[Reader], T]) -> T:
        """Read without a transaction first, and again in one if the row of `lock` changed in between."""
        if self.cluster.direct_reads:
            with self.read_once() as reader:
                try:
                    found = read(reader)
                except Unavailable:
                    raise
                except Exception:  # Perhaps only because it saw half of a change.
                    if reader.is_consistent(lock):
                        raise
                else:
                    if reader.is_consistent(lock):
                        return found
        return super().read_under(lock, read)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        about_to_wait()
        writer = VastWriter(self.cluster, self._densities, self._queues)
        try:
            try:
                yield writer
                writer.commit()
            except BaseException:
                writer.rollback()
                raise
        finally:
            writer.release()

    def close(self) -> None:
        self.cluster.close()
        self._queues.close()
