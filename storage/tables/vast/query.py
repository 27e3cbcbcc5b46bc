"""Queries to a cluster, in a transaction or without one, over the session's pooled connections."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
from vastdb import errors
from vastdb.table_metadata import TableRef

from storage.tables.conditions import Compare, In
from storage.tables.vast.layout import TableLayout
from storage.tables.vast.predicates import to_ibis
from storage.tables.vast.sdk_internals import QueryPages, build_query, run_with_retries

_PAGE_ROWS = 1 << 17
"""Most rows in one response to a query without a limit."""
_CACHED_QUERIES = 256
_NO_TRANSACTION = 0
"""The transaction id that the SDK sends where there is none."""


class DirectReadFailed(Exception):
    """A read without a transaction failed, or its response came in parts, which may be of different moments.

    rejected: the cluster is likely to fail all such reads, if the same read succeeds in a transaction.
    """

    def __init__(self, reason: str, *, rejected: bool = False) -> None:
        super().__init__(reason)
        self.rejected = rejected


class _BufferingApi:
    """The SDK's API for queries, which reads each response whole before it is parsed: far faster than in small pieces.

    attempts: None in a transaction. Otherwise connect at most so often, and accept only a response in one part.
    """

    def __init__(self, api: Any, attempts: int | None) -> None:
        self._api = api
        self._attempts = attempts
        self._made = 0
        self._has_response = False

    def query_data(self, **arguments: Any) -> Any:
        if self._attempts is not None and self._has_response:
            raise DirectReadFailed("the response came in parts")
        self._made += 1
        try:
            response = self._api.query_data(**arguments)
        except errors.ConnectionError as error:
            if self._attempts is not None:
                error.may_retry = error.may_retry and self._made < self._attempts
            raise
        self._has_response = True
        response.raw = pa.BufferReader(response.raw.read())
        return response


def run_query(
    api: Any,
    ref: TableRef,
    layout: TableLayout,
    conditions: Sequence[Compare | In],
    columns: Sequence[str],
    limit: int | None,
    *,
    tx: int = _NO_TRANSACTION,
    attempts: int | None = None,
) -> pa.Table:
    """Any rows of a table that meet `conditions`, at most `limit`, with `columns`, which may include the row id.

    attempts: for a query without a transaction; it then raises DirectReadFailed where one response is not enough.
    Raises the SDK's errors.
    """
    # Lists of values seldom recur; comparisons of one row's key do.
    may_recur = all(isinstance(condition, Compare) for condition in conditions)
    build = _cached_query if may_recur else _query
    query = build(layout, tuple(conditions), tuple(columns))
    pages = QueryPages(_BufferingApi(api, attempts), query, ref, tx, limit or _PAGE_ROWS)
    batches: list[pa.RecordBatch] = []

    def read() -> None:
        for batch in pages:
            batches.append(batch)
            if limit is not None and sum(map(len, batches)) >= limit:
                pages.stop()

    run_with_retries(api, read)
    return pa.Table.from_batches(batches, pages.schema).slice(0, limit)


def _query(layout: TableLayout, conditions: tuple[Compare | In, ...], columns: tuple[str, ...]) -> Any:
    """Build the SDK's query, which takes longer than all the rest on this side."""
    return build_query(layout.query_schema, to_ibis(layout.ibis_table, conditions), columns)


_cached_query = lru_cache(_CACHED_QUERIES)(_query)
