"""Every use of members of `vastdb` that are not part of its public interface.

The public `Table.select` opens a connection for each call, reads the table's definition first, and needs a transaction.
The functions here avoid that, at the price of depending on private names. The contract test
(tests/engines/test_vast_sdk_contract.py) names the one that a new version of the SDK has changed.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from vastdb import _internal
from vastdb.table import SplitWorker, SplitWorkerConfig
from vastdb.table_metadata import TableMetadata, TableRef

RESPONSE_ERRORS: tuple[type[Exception], ...] = (_internal.QueryDataInternalError, _internal.UnsupportedServer)
"""Raised for a query that failed midway, and for a server that is no VAST cluster; not in `vastdb.errors`."""


def set_sorted_columns(metadata: TableMetadata, columns: Sequence[pa.Field]) -> None:
    """State the sorting key of a table, which the SDK would otherwise query before a wide insert."""
    metadata._sorted_columns = list(columns) or None


def ignore_environment(api: Any) -> None:
    """Keep the HTTP sessions of `api` from looking up proxies and passwords in the environment for every request."""
    for endpoint in api.endpoints:
        api._session_get_or_create(endpoint).trust_env = False


def run_with_retries(api: Any, function: Callable[[], None]) -> None:
    """Call `function`, with the retries that the session's BackoffConfig sets."""
    api._backoff_decorator(function)()


def build_query(schema: pa.Schema, predicate: Any, columns: Sequence[str]) -> Any:
    """The serialised query for `columns` of the rows that meet the ibis expression `predicate`."""
    return _internal.build_query_data_request(schema=schema, predicate=predicate, field_names=list(columns))


class QueryPages:
    """The record batches of one query, requested page by page. Iterate again to continue after an error.

    api: has `query_data` with the SDK's signature. query: from `build_query`. page_rows: most rows in one response.
    """

    def __init__(self, api: Any, query: Any, table: TableRef, tx: int, page_rows: int) -> None:
        config = SplitWorkerConfig(
            num_splits=1,
            num_sub_splits=1,
            num_row_groups_per_sub_split=8,
            limit_rows_per_sub_split=page_rows,
            use_semi_sorted_projections=True,
            queue_priority=None,
            semi_sorted_projection_name=None,
        )
        self.schema: pa.Schema = query.response_schema
        self._worker = SplitWorker(api, query, table.bucket, table.schema, table.table, tx, False, 0, config)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        yield from self._worker

    def stop(self) -> None:
        """Request no further page."""
        state = self._worker.subsplits_state
        self._worker.subsplits_state = dict.fromkeys(state, _internal.TABULAR_INVALID_ROW_ID)
