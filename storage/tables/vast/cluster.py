"""Requests to a cluster: one session a process, an end to every wait, and the SDK's errors in storage's words."""

import contextlib
import functools
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

from storage.errors import Contended, Unavailable
from storage.tables.conditions import Compare, In
from storage.tables.vast.address import Address
from storage.tables.vast.cluster_errors import (
    OUTAGES,
    OUTAGES_OF_ITS_OWN,
    UnknownOutcome,
    recognised,
    told,
    translated,
)
from storage.tables.vast.layout import FORMS, ROW_ID, Form
from storage.tables.vast.query import NoDirectAnswer, ask
from storage.tables.vast.waiting import pause

_log = logging.getLogger(__name__)

_TRIES = 10
_BEGIN_TRIES = 3
_UNDO_TRIES = 12


def _backoff(patience_s: float, tries: Callable[[], int]) -> Any:
    """How the SDK tries again where the cluster asks to slow down, or a read is cut off: after some 50 ms, and twice
    as long each time. tries: how often, looked up each time."""
    waits = functools.partial(BackoffConfig().wait_gen, factor=0.05)
    return BackoffConfig(wait_gen=waits, max_tries=tries, max_time=patience_s, max_value=2.0)


class Cluster:
    """Safe to share between threads, and across fork: each process makes a session of its own.

    answers_directly: whether it is worth asking without a transaction.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.answers_directly = address.direct
        self._guard = threading.Lock()
        self._session: Any = None
        self._failures = 0
        self._endings: ThreadPoolExecutor | None = None
        self._metadata = {form.name: self._described(form) for form in FORMS.values()}
        # Lost races are part of the work here, and the SDK warns of each; of what it gives up this module tells.
        logging.getLogger("vastdb").setLevel(logging.ERROR)
        logging.getLogger("backoff").setLevel(logging.CRITICAL)
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._guard = threading.Lock()
        self._session = self._endings = None

    def _described(self, form: Form) -> Any:
        """What the SDK would ask the cluster about a table before each use; create() sees to it that it is so."""
        ref = TableRef(self.address.bucket, self.address.schema, form.name)
        kind = TableType.Elysium if form.sort else TableType.Regular
        metadata = TableMetadata(ref, form.schema, kind)
        metadata._sorted_columns = [form.schema.field(name) for name in form.sort] or None
        return metadata

    def describe(self, form: Form) -> None:
        """Take in a table that is not one of the catalogue's."""
        self._metadata[form.name] = self._described(form)

    @property
    def session(self) -> Any:
        """The SDK's session of this process, made at first use.

        Raises Unavailable: at once, and to all threads that have waited for it.
        """
        if self._session is not None:
            return self._session
        failures = self._failures
        with self._guard:
            if self._session is None:
                if self._failures != failures:
                    raise Unavailable("the catalogue cannot be reached at the moment")
                try:
                    self._session = self._connect()
                except BaseException:
                    self._failures += 1
                    raise
            return self._session

    def _connect(self) -> Any:
        address = self.address
        with translated():
            session = vastdb.connect(
                endpoint=address.endpoint,
                access=address.access,
                secret=address.secret,
                ssl_verify=address.verify,
                timeout=(address.connect_s, address.answer_s),
                backoff_config=_backoff(address.patience_s, lambda: 1 if self._session is None else _TRIES),
            )
        for endpoint in session.api.endpoints:
            # What the environment says of proxies and passwords would be looked up for every request.
            session.api._session_get_or_create(endpoint).trust_env = False
        return session

    def close(self) -> None:
        with self._guard:
            endings, self._endings = self._endings, None
            session, self._session = self._session, None
        if endings is not None:
            endings.shutdown()
        if session is not None:
            session.api.__exit__()

    # Transactions.

    def begin(self) -> int:
        """Open a transaction; its id. One that is opened twice because an answer was lost does no harm."""
        api = self.session.api
        for attempt in range(1, _BEGIN_TRIES + 1):
            with translated():
                try:
                    return int(api.begin_transaction().headers["tabular-txid"])
                except errors.ConnectionError:
                    if attempt == _BEGIN_TRIES:
                        raise
            time.sleep(0.02 * attempt)
        raise AssertionError

    def commit(self, tx: int) -> None:
        """Raises Contended or Unavailable where nothing was written, UnknownOutcome where that cannot be told."""
        try:
            with recognised():
                self.session.api.commit_transaction(tx)
        except (errors.Conflict, errors.NotFound) as error:
            raise Contended("another request has just changed the same thing") from error
        except (errors.Slowdown, errors.Forbidden) as error:
            self.rollback(tx)
            raise Unavailable("the catalogue is too busy at the moment") from error
        except OUTAGES as error:
            _log.warning("VAST database: the answer to a commit was lost (%s)", told(error))
            raise UnknownOutcome from error

    def rollback(self, tx: int) -> bool:
        """Give a transaction up. False where no answer came; one that is over already counts as given up."""
        try:
            with recognised():
                self.session.api.rollback_transaction(tx)
        except (errors.NotFound, errors.BadRequest, errors.Conflict):
            return True
        except (*OUTAGES, Unavailable) as error:
            _log.info("VAST database: no rollback: %s", error)
            return False
        return True

    def undo(self, tx: int) -> None:
        """Give up a transaction that has written. Where no answer comes it is tried again, without anybody waiting for
        it: until the cluster itself gives the transaction up nobody else can change its rows."""
        if not self.rollback(tx):
            self._later(self._undo, tx)

    def _undo(self, tx: int) -> None:
        for attempt in range(_UNDO_TRIES):
            pause(attempt)
            if self.rollback(tx):
                return

    def end_later(self, tx: int) -> None:
        """Give up a transaction that has only read, without anybody waiting for it."""
        self._later(self.rollback, tx)

    def _later(self, do: Callable[[int], Any], tx: int) -> None:
        with self._guard:
            if self._endings is None:
                self._endings = ThreadPoolExecutor(2, thread_name_prefix="vast-endings")
            endings = self._endings
        with contextlib.suppress(RuntimeError):  # Closed meanwhile: the cluster gives idle transactions up.
            endings.submit(do, tx)

    @contextmanager
    def defining(self) -> Iterator[Any]:
        """The SDK's object for the schema, made if need be, in a transaction that may change definitions.

        Raises ValueError where there is no such bucket, Contended where another changed them at the same time.
        """
        bucket, schema = self.address.bucket, self.address.schema
        tx = self.begin()
        try:
            with translated():
                try:
                    place = self.transaction(tx).bucket(bucket)
                except errors.MissingBucket as error:
                    raise ValueError(f"the VAST cluster has no bucket {bucket} for tables") from error
                yield place.schema(schema, fail_if_missing=False) or place.create_schema(schema)
                self.session.api.commit_transaction(tx)
        except BaseException:
            self.rollback(tx)
            raise

    # Rows.

    def select(
        self, tx: int, form: Form, conditions: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> pa.Table:
        """Any rows, at most `limit`, that meet `conditions`: one request, unless the answer is long.

        columns may name the row id.
        """
        with translated():
            return ask(self.session.api, self._metadata[form.name].ref, form, conditions, columns, limit, tx=tx)

    def select_directly(
        self, form: Form, conditions: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> pa.Table:
        """The same without a transaction, as of the moment of the answer. Raises NoDirectAnswer."""
        ref = self._metadata[form.name].ref
        with translated():
            try:
                with recognised():
                    return ask(self.session.api, ref, form, conditions, columns, limit, tries=_BEGIN_TRIES)
            except errors.ServiceUnavailable:
                raise
            except errors.HttpError as error:
                raise NoDirectAnswer(told(error), refused=not isinstance(error, OUTAGES_OF_ITS_OWN)) from error

    def ask_no_more_directly(self, refusal: NoDirectAnswer) -> None:
        """To be told of what was refused, and answered in a transaction then."""
        _log.warning("VAST database: reads take a transaction from here on, for without one: %s", refusal)
        self.answers_directly = False

    def insert(self, tx: int, form: Form, batch: pa.RecordBatch) -> list[Any]:
        """Add rows; their ids, in the same order."""
        ids: list[Any] = self._change(tx, form, lambda table: table.insert(batch)).to_pylist()
        return ids

    def update(self, tx: int, form: Form, ids: pa.Array, values: pa.RecordBatch) -> None:
        """Give the rows of these ids new values in the columns of `values`, which has a row for each."""
        rows = pa.record_batch([ids, *values.columns], names=[ROW_ID, *values.schema.names])
        self._change(tx, form, lambda table: table.update(rows))

    def delete(self, tx: int, form: Form, ids: pa.Array) -> None:
        rows = pa.record_batch([ids], names=[ROW_ID])
        self._change(tx, form, lambda table: table.delete(rows))

    def _change(self, tx: int, form: Form, do: Callable[[Any], Any]) -> Any:
        with translated():
            return do(self.transaction(tx).table_from_metadata(self._metadata[form.name]))

    def transaction(self, tx: int) -> Any:
        """The SDK's object for a transaction that begin() has opened."""
        transaction = self.session.transaction()
        transaction.txid = tx
        return transaction
