"""Questions to a cluster, with a transaction or without.

They go by the SDK's own reader of query answers over the session's pooled connections: its `Table.select` opens a
connection for each call, looks at the table each time, and cannot do without a transaction.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
from vastdb import _internal, errors
from vastdb.table import SplitWorker, SplitWorkerConfig
from vastdb.table_metadata import TableRef

from storage.tables.conditions import Compare, In
from storage.tables.vast.layout import Form
from storage.tables.vast.predicates import expression

_AT_ONCE = 1 << 17
"""Rows that one answer may hold where no limit is asked for."""
_KEPT = 256
"""Questions about one row come again and again; so many are kept as the SDK has made them."""
_NO_TRANSACTION = 0
"""What the SDK sends as the transaction's id where there is none."""


class NoDirectAnswer(Exception):
    """None came without a transaction, or none that was whole at once and so of one moment. refused: it is likely to
    stay so, if there is one in a transaction."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class _Api:
    """What the SDK's reader asks by. Each answer is taken in whole before it is read, which takes far less time than to
    read from the connection bit by bit. tries: an answer must come in one part, and a connection within so many."""

    def __init__(self, api: Any, tries: int | None) -> None:
        self._api = api
        self._tries = tries
        self._tried = 0
        self._answered = False

    def query_data(self, **arguments: Any) -> Any:
        if self._tries is not None and self._answered:
            raise NoDirectAnswer("it came in parts")
        self._tried += 1
        try:
            answer = self._api.query_data(**arguments)
        except errors.ConnectionError as error:
            if self._tries is not None:
                error.may_retry = error.may_retry and self._tried < self._tries
            raise
        self._answered = True
        answer.raw = pa.BufferReader(answer.raw.read())
        return answer


def ask(
    api: Any,
    ref: TableRef,
    form: Form,
    conditions: Sequence[Compare | In],
    columns: Sequence[str],
    limit: int | None,
    *,
    tx: int = _NO_TRANSACTION,
    tries: int | None = None,
) -> pa.Table:
    """Any rows of a table, at most `limit`, that meet `conditions`; `columns` of them, which may name the row id.

    tries: of a question without a transaction, which then raises NoDirectAnswer where more than one answer is needed.
    Raises the SDK's errors.
    """
    may_recur = all(isinstance(condition, Compare) for condition in conditions)
    make = _kept_request if may_recur else _request
    request = make(form, tuple(conditions), tuple(columns))
    config = SplitWorkerConfig(
        num_splits=1,
        num_sub_splits=1,
        num_row_groups_per_sub_split=8,
        limit_rows_per_sub_split=limit or _AT_ONCE,
        use_semi_sorted_projections=True,
        queue_priority=None,
        semi_sorted_projection_name=None,
    )
    worker = SplitWorker(_Api(api, tries), request, ref.bucket, ref.schema, ref.table, tx, False, 0, config)
    batches: list[pa.RecordBatch] = []

    def read() -> None:
        for batch in worker:
            batches.append(batch)
            if limit is not None and sum(map(len, batches)) >= limit:
                # Enough: the rest of this answer is read, and no further one asked for.
                worker.subsplits_state = dict.fromkeys(worker.subsplits_state, _internal.TABULAR_INVALID_ROW_ID)

    api._backoff_decorator(read)()
    return pa.Table.from_batches(batches, request.response_schema).slice(0, limit)


def _request(form: Form, conditions: tuple[Compare | In, ...], columns: tuple[str, ...]) -> Any:
    """What the SDK sends, which takes longer to make than all the rest."""
    predicate = expression(form.ibis_table, conditions)
    return _internal.build_query_data_request(schema=form.asked, predicate=predicate, field_names=list(columns))


_kept_request = lru_cache(_KEPT)(_request)
