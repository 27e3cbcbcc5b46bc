"""Requests to a cluster: one SDK session for each process, a limit on every wait, and errors as storage's own."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import vastdb
from vastdb import errors
from vastdb.config import BackoffConfig
from vastdb.table_metadata import TableMetadata, TableRef, TableType

from storage.backoff import Backoff
from storage.errors import Contended, Unavailable
from storage.tables.conditions import Compare, In
from storage.tables.vast.address import Address
from storage.tables.vast.cluster_errors import (
    CLUSTER_FAILURES,
    OUTAGES,
    UnknownOutcome,
    describe_error,
    detect_proxy_errors,
    translate_errors,
)
from storage.tables.vast.layout import LAYOUTS, ROW_ID, TableLayout
from storage.tables.vast.query import DirectReadFailed, run_query
from storage.tables.vast.sdk_internals import ignore_environment, set_sorted_columns

_log = logging.getLogger(__name__)

CONTENTION_BACKOFF = Backoff(first_s=0.004, longest_s=0.25, jitter=(0.0, 1.0))
"""Pauses after a lost race, spread widely so that the same transactions do not meet again."""

_SDK_BACKOFF = Backoff(first_s=0.05, longest_s=2.0, jitter=(1.0, 1.0))
"""Without jitter of its own: the SDK multiplies each pause by a random number from 0 to 1."""
_SDK_ATTEMPTS = 10
_BEGIN_ATTEMPTS = 3
_ROLLBACK_ATTEMPTS = 12


def _sdk_backoff_config(max_time_s: float, max_attempts: Callable[[], int]) -> Any:
    """How the SDK retries where the cluster asks to slow down or a read is cut off. max_attempts: called each time."""

    def pauses(max_value: float) -> Iterator[float | None]:
        yield None  # The SDK starts the generator by sending it None.
        attempt = 0
        while True:
            yield min(_SDK_BACKOFF.pause_s(attempt), max_value)
            attempt += 1

    return BackoffConfig(wait_gen=pauses, max_tries=max_attempts, max_time=max_time_s, max_value=_SDK_BACKOFF.longest_s)


class Cluster:
    """Safe to share between threads, and across fork: each process opens its own session.

    direct_reads: whether to try reads without a transaction.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.direct_reads = address.direct_reads
        self._guard = threading.Lock()
        self._session: Any = None
        self._failed_connects = 0
        self._rollbacks: ThreadPoolExecutor | None = None
        self._metadata = {layout.name: self._table_metadata(layout) for layout in LAYOUTS.values()}
        # The SDK warns of lost races, which are normal here, and of requests given up, which this module logs itself.
        logging.getLogger("vastdb").setLevel(logging.ERROR)
        logging.getLogger("backoff").setLevel(logging.CRITICAL)
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._guard = threading.Lock()
        self._session = self._rollbacks = None

    def _table_metadata(self, layout: TableLayout) -> Any:
        """What the SDK would otherwise query before each use of a table; VastEngine.create() ensures that it holds."""
        ref = TableRef(self.address.bucket, self.address.schema, layout.name)
        kind = TableType.Elysium if layout.sorting_key else TableType.Regular
        metadata = TableMetadata(ref, layout.schema, kind)
        set_sorted_columns(metadata, [layout.schema.field(name) for name in layout.sorting_key])
        return metadata

    def register(self, layout: TableLayout) -> None:
        """Make a table usable that is not one of the catalogue's."""
        self._metadata[layout.name] = self._table_metadata(layout)

    @property
    def session(self) -> Any:
        """The SDK's session of this process, opened at first use.

        Raises Unavailable where that fails, at once for all threads that were waiting for it.
        """
        if self._session is not None:
            return self._session
        failed_before = self._failed_connects
        with self._guard:
            if self._session is None:
                if self._failed_connects != failed_before:
                    raise Unavailable("the catalogue cannot be reached at the moment")
                try:
                    self._session = self._connect()
                except BaseException:
                    self._failed_connects += 1
                    raise
            return self._session

    def _connect(self) -> Any:
        address = self.address
        with translate_errors():
            session = vastdb.connect(
                endpoint=address.endpoint,
                access=address.access,
                secret=address.secret,
                ssl_verify=address.verify,
                timeout=(address.connect_s, address.response_s),
                # The probe that connects is not retried.
                backoff_config=_sdk_backoff_config(
                    address.retry_s, lambda: 1 if self._session is None else _SDK_ATTEMPTS
                ),
            )
        ignore_environment(session.api)
        return session

    def close(self) -> None:
        with self._guard:
            rollbacks, session = self._rollbacks, self._session
            self._rollbacks = self._session = None
        if rollbacks is not None:
            rollbacks.shutdown()
        if session is not None:
            session.api.__exit__()

    # Transactions.

    def begin(self) -> int:
        """Begin a transaction and return its id. A retry is safe: a transaction that nobody uses changes nothing."""
        api = self.session.api
        for attempt in range(1, _BEGIN_ATTEMPTS + 1):
            with translate_errors():
                try:
                    return int(api.begin_transaction().headers["tabular-txid"])
                except errors.ConnectionError:
                    if attempt == _BEGIN_ATTEMPTS:
                        raise
            time.sleep(0.02 * attempt)
        raise AssertionError

    def commit(self, tx: int) -> None:
        """Commit a transaction.

        Raises Contended or Unavailable where nothing was written, and UnknownOutcome where it may have been.
        """
        try:
            with detect_proxy_errors():
                self.session.api.commit_transaction(tx)
        except (errors.Conflict, errors.NotFound) as error:
            raise Contended("another request has just changed the same data") from error
        except (errors.Slowdown, errors.Forbidden) as error:
            self.rollback(tx)
            raise Unavailable("the catalogue is too busy at the moment") from error
        except OUTAGES as error:
            _log.warning("VAST database: a commit got no response (%s)", describe_error(error))
            raise UnknownOutcome from error

    def rollback(self, tx: int) -> bool:
        """Roll a transaction back. Returns whether it has ended, which is unknown where no response came."""
        try:
            with detect_proxy_errors():
                self.session.api.rollback_transaction(tx)
        except (errors.NotFound, errors.BadRequest, errors.Conflict):  # It had ended before.
            return True
        except (*OUTAGES, Unavailable) as error:
            _log.info("VAST database: a rollback failed: %s", error)
            return False
        return True

    def ensure_rollback(self, tx: int) -> None:
        """Roll back a transaction that has written, and retry in the background where no response comes.

        Until then no other transaction can change its rows.
        """
        if not self.rollback(tx):
            self._in_background(self._retry_rollback, tx)

    def _retry_rollback(self, tx: int) -> None:
        for attempt in range(_ROLLBACK_ATTEMPTS):
            time.sleep(CONTENTION_BACKOFF.pause_s(attempt))
            if self.rollback(tx):
                return

    def rollback_later(self, tx: int) -> None:
        """Roll back a transaction that has only read, in the background."""
        self._in_background(self.rollback, tx)

    def _in_background(self, call: Callable[[int], Any], tx: int) -> None:
        with self._guard:
            if self._rollbacks is None:
                self._rollbacks = ThreadPoolExecutor(2, thread_name_prefix="vast-rollback")
            rollbacks = self._rollbacks
        with contextlib.suppress(RuntimeError):  # Closed already: the cluster ends idle transactions by itself.
            rollbacks.submit(call, tx)

    @contextmanager
    def schema_transaction(self) -> Iterator[Any]:
        """A transaction that may change table definitions; yields the SDK's schema object, created if missing.

        Raises ValueError where the bucket does not exist, Contended where another transaction changed definitions at
        the same time.
        """
        bucket, schema = self.address.bucket, self.address.schema
        tx = self.begin()
        try:
            with translate_errors():
                try:
                    parent = self.transaction(tx).bucket(bucket)
                except errors.MissingBucket as error:
                    raise ValueError(f"the VAST cluster has no bucket {bucket} for tables") from error
                yield parent.schema(schema, fail_if_missing=False) or parent.create_schema(schema)
                self.session.api.commit_transaction(tx)
        except BaseException:
            self.rollback(tx)
            raise

    # Rows.

    def select(
        self,
        tx: int,
        layout: TableLayout,
        conditions: Sequence[Compare | In],
        columns: Sequence[str],
        limit: int | None,
    ) -> pa.Table:
        """Any rows that meet `conditions`, at most `limit`, in one request unless the response is long.

        columns: may include the row id.
        """
        ref = self._metadata[layout.name].ref
        with translate_errors():
            return run_query(self.session.api, ref, layout, conditions, columns, limit, tx=tx)

    def select_direct(
        self, layout: TableLayout, conditions: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> pa.Table:
        """Like `select` but without a transaction: rows as they are when the cluster responds.

        Raises DirectReadFailed where the same query should be tried in a transaction.
        """
        ref = self._metadata[layout.name].ref
        with translate_errors():
            try:
                with detect_proxy_errors():
                    return run_query(
                        self.session.api, ref, layout, conditions, columns, limit, attempts=_BEGIN_ATTEMPTS
                    )
            except errors.ServiceUnavailable:
                raise
            except errors.HttpError as error:
                rejected = not isinstance(error, CLUSTER_FAILURES)
                raise DirectReadFailed(describe_error(error), rejected=rejected) from error

    def disable_direct_reads(self, reason: DirectReadFailed) -> None:
        """Use transactions for all further reads of this process."""
        _log.warning("VAST database: all reads use a transaction from now on, as one without failed: %s", reason)
        self.direct_reads = False

    def insert(self, tx: int, layout: TableLayout, batch: pa.RecordBatch) -> list[Any]:
        """Insert rows and return their ids, in the same order."""
        ids: list[Any] = self._change(tx, layout, lambda table: table.insert(batch)).to_pylist()
        return ids

    def update(self, tx: int, layout: TableLayout, ids: pa.Array, values: pa.RecordBatch) -> None:
        """Set the columns of `values`, which has one row for each of `ids`, in their order."""
        rows = pa.record_batch([ids, *values.columns], names=[ROW_ID, *values.schema.names])
        self._change(tx, layout, lambda table: table.update(rows))

    def delete(self, tx: int, layout: TableLayout, ids: pa.Array) -> None:
        rows = pa.record_batch([ids], names=[ROW_ID])
        self._change(tx, layout, lambda table: table.delete(rows))

    def _change(self, tx: int, layout: TableLayout, change: Callable[[Any], Any]) -> Any:
        with translate_errors():
            return change(self.transaction(tx).table_from_metadata(self._metadata[layout.name]))

    def transaction(self, tx: int) -> Any:
        """The SDK's object for a transaction that `begin` returned."""
        transaction = self.session.transaction()
        transaction.txid = tx
        return transaction
