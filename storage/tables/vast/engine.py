"""The engine over VAST Database."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import pyarrow as pa
from vastdb.table_metadata import TableMetadata, TableRef, TableType

from storage.errors import Contended, Unavailable
from storage.tables.engine import Engine, Reader, T, Writer
from storage.tables.vast.address import Address, parse_address
from storage.tables.vast.cluster import Cluster
from storage.tables.vast.density import Densities
from storage.tables.vast.layout import FORMS, LOCK_SLOTS, LOCKS, Form
from storage.tables.vast.locks import Queues
from storage.tables.vast.reader import VastOnceReader, VastReader
from storage.tables.vast.upgrade import post_notice, take_over_flow_state
from storage.tables.vast.waiting import pause
from storage.tables.vast.writer import VastWriter

_log = logging.getLogger(__name__)

_CREATE_TRIES = 12


class VastEngine(Engine):
    """The tables of the catalogue in one schema of a cluster's bucket; no request is made before create() or a read.

    Tables are sorted by their key where they are read by ranges of it (docs/vast.md). Every write transaction that
    changes what others may change locks rows first, so that of two that race one loses before it is committed.
    """

    def __init__(self, url: str, secret: str | None = None) -> None:
        self.address: Address = parse_address(url, secret)
        self.cluster = Cluster(self.address)
        self._densities = Densities()
        place = f"{self.address.endpoint}/{self.address.bucket}/{self.address.schema}"
        self._queues = Queues(place if self.address.queue else None)

    def create(self) -> None:
        """Make the schema and the tables that are not there, and check those that are.

        Raises ValueError where a table has other columns or another sorting key than it should, or the bucket is not
        there; Unavailable where the cluster cannot be reached.
        """
        for attempt in range(_CREATE_TRIES):
            try:
                self._create()
                return
            except Contended:  # Another process is making them.
                if attempt == _CREATE_TRIES - 1:
                    raise
            pause(attempt)

    def _create(self) -> None:
        with self.cluster.defining() as schema:
            there = set(schema.tablenames())
            for form in FORMS.values():
                if form.name in there:
                    self._check(schema, form)
                    continue
                schema.tx._rpc.api.create_table(
                    schema.bucket.name,
                    schema.name,
                    form.name,
                    form.schema,
                    txid=schema.tx.active_txid,
                    sorting_key=list(form.sort),
                )
                if form.name == LOCKS:
                    slots = pa.array(range(LOCK_SLOTS), pa.int64())
                    holders = pa.array([""] * LOCK_SLOTS)
                    batch = pa.record_batch([slots, holders], schema=form.schema)
                    self.cluster.insert(schema.tx.active_txid, form, batch)
                _log.info("VAST database: made table %s", form.name)
            post_notice(self.cluster, schema.tx.active_txid)
            if "flow_state" in there:
                take_over_flow_state(self.cluster, schema)

    def _check(self, schema: Any, form: Form) -> None:
        known = TableMetadata(TableRef(schema.bucket.name, schema.name, form.name))
        known.load(schema.tx)
        found = {field.name: field.type for field in known.arrow_schema}
        wanted = {field.name: field.type for field in form.schema}
        missing = [field for field in form.schema if field.name not in found]
        if any(not form.columns[field.name].nullable for field in missing) or any(
            found[name] != type_ for name, type_ in wanted.items() if name in found
        ):
            raise ValueError(f"VAST table {form.name} has columns {found}, and should have {wanted}")
        sort = tuple(field.name for field in known.sorted_columns) if known.table_type is TableType.Elysium else ()
        if sort != form.sort:
            raise ValueError(f"VAST table {form.name} is sorted by {sort}, and should have been made with {form.sort}")
        if missing:
            api, tx = schema.tx._rpc.api, schema.tx.active_txid
            api.add_columns(schema.bucket.name, schema.name, form.name, pa.schema(missing), txid=tx)

    def read(self) -> AbstractContextManager[Reader]:
        return closing(VastReader(self.cluster, self._densities))

    def read_once(self) -> AbstractContextManager[VastOnceReader]:
        return closing(VastOnceReader(self.cluster, self._densities))

    def read_under(self, lock: str, read: Callable[[Reader], T]) -> T:
        """Without a transaction at first, and in one where the row that is the lock changed meanwhile."""
        if self.cluster.answers_directly:
            with self.read_once() as read_once:
                try:
                    found = read(read_once)
                except Unavailable:
                    raise
                except Exception:  # Of what it may have seen half of.
                    if read_once.is_of_one_moment(lock):
                        raise
                else:
                    if read_once.is_of_one_moment(lock):
                        return found
        return super().read_under(lock, read)

    @contextmanager
    def write(self) -> Iterator[Writer]:
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
