"""The private members of `vastdb` that storage/tables/vast/sdk_internals.py uses are still what they were.

Each failure names the version of the SDK and the member that has changed.
"""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
import requests
import vastdb
from vastdb import errors

from tests.vast_emulator import Emulator

ROOT = Path(__file__).parents[2]
USER = Path("storage/tables/vast/sdk_internals.py")
SCHEMA = pa.schema([("name", pa.string()), ("number", pa.int64())])


def _require(holds: bool, member: str, expectation: str) -> None:
    assert holds, f"vastdb {version('vastdb')}: {member} {expectation}; {USER} depends on it"


def _member(path: str) -> Any:
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name, None)
    _require(found is not None, path, "no longer exists")
    return found


@pytest.mark.parametrize("name", ["QueryDataInternalError", "UnsupportedServer"])
def test_private_errors_are_exceptions(name: str) -> None:
    path = f"vastdb._internal.{name}"
    found = _member(path)
    _require(isinstance(found, type) and issubclass(found, Exception), path, "is no longer an exception class")


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("vastdb._internal.build_query_data_request", ["schema", "predicate", "field_names"]),
        (
            "vastdb.table.SplitWorker",
            [
                *("api", "query_data_request", "bucket_name", "schema_name", "table_name", "txid"),
                *("query_imports_table", "split_id", "config"),
            ],
        ),
        (
            "vastdb.table.SplitWorkerConfig",
            [
                *("num_splits", "num_sub_splits", "num_row_groups_per_sub_split", "limit_rows_per_sub_split"),
                *("use_semi_sorted_projections", "queue_priority", "semi_sorted_projection_name"),
            ],
        ),
    ],
)
def test_private_callables_take_the_same_parameters(path: str, parameters: list[str]) -> None:
    found = list(inspect.signature(_member(path)).parameters)
    _require(found[: len(parameters)] == parameters, path, f"takes the parameters {found}, not {parameters}")


def test_a_query_has_its_response_schema() -> None:
    path = "vastdb._internal.build_query_data_request"
    table = ibis.table(SCHEMA, name="t")
    query = _member(path)(schema=SCHEMA, predicate=table["number"] == 1, field_names=["name"])
    schema = getattr(query, "response_schema", None)
    _require(schema == pa.schema([SCHEMA.field("name")]), f"{path}().response_schema", f"is {schema}")


def test_a_split_worker_stops_once_every_subsplit_has_the_invalid_row_id() -> None:
    path = "vastdb.table.SplitWorker"
    last = _member("vastdb._internal.TABULAR_INVALID_ROW_ID")
    config = _member("vastdb.table.SplitWorkerConfig")(1, 1, 8, 10, True, None, None)
    worker = _member(path)(None, None, "b", "s", "t", 0, False, 0, config)
    state = getattr(worker, "subsplits_state", None)
    _require(state == {0: 0}, f"{path}.subsplits_state", f"is {state} at the start, not {{0: 0}}")
    worker.subsplits_state = {0: last}
    _require(list(worker) == [], f"{path}.subsplits_state", "no longer ends the query when it is set")


def test_table_metadata_takes_its_sorted_columns() -> None:
    reference, kinds = _member("vastdb.table_metadata.TableRef"), _member("vastdb.table_metadata.TableType")
    metadata = _member("vastdb.table_metadata.TableMetadata")(reference("b", "s", "t"), SCHEMA, kinds.Elysium)
    path = "vastdb.table_metadata.TableMetadata._sorted_columns"
    _require(hasattr(metadata, "_sorted_columns"), path, "no longer exists")
    metadata._sorted_columns = [SCHEMA.field("name")]
    _require(metadata.sorted_columns == [SCHEMA.field("name")], path, "no longer sets sorted_columns")


@pytest.fixture
def api() -> Iterator[Any]:
    """The SDK's API of a session with an emulated cluster."""
    emulator = Emulator()
    endpoint = f"http://127.0.0.1:{emulator.port}"
    yield vastdb.connect(access="access", secret="any", endpoint=endpoint, timeout=10).api
    emulator.close()


def _api_member(api: Any, name: str) -> Any:
    found = getattr(api, name, None)
    _require(found is not None, f"vastdb._internal.VastdbApi.{name}", "no longer exists")
    return found


def test_the_api_keeps_one_http_session_for_each_endpoint(api: Any) -> None:
    path = "vastdb._internal.VastdbApi._session_get_or_create"
    get = _api_member(api, "_session_get_or_create")
    [endpoint] = _api_member(api, "endpoints")
    session = get(endpoint)
    _require(isinstance(session, requests.Session), path, f"returns {type(session)}, not a requests.Session")
    _require(get(endpoint) is session, path, "returns another session at each call")


def test_the_api_retries_a_decorated_function(api: Any) -> None:
    decorate: Callable[[Callable[[], None]], Callable[[], None]] = _api_member(api, "_backoff_decorator")
    calls: list[int] = []

    def fail_once() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise errors.ConnectionError(OSError("cut off"), True)

    decorate(fail_once)()
    _require(calls == [0, 1], "vastdb._internal.VastdbApi._backoff_decorator", "no longer retries")


@pytest.mark.parametrize(
    "name",
    ["begin_transaction", "commit_transaction", "rollback_transaction", "query_data", "create_table", "add_columns"],
)
def test_the_api_has_the_methods_that_the_engine_calls(api: Any, name: str) -> None:
    _require(callable(_api_member(api, name)), f"vastdb._internal.VastdbApi.{name}", "is no longer a method")


def _sources(*folders: str) -> Iterator[tuple[Path, ast.AST]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def test_no_other_module_imports_private_parts_of_the_sdk() -> None:
    found = []
    for path, tree in _sources("storage", "tams_server", "handlers", "tests"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ("vastdb", "ibis"):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [part for alias in node.names for part in alias.name.split(".")]
                if names[0] not in ("vastdb", "ibis"):
                    continue
            else:
                continue
            # `from ibis import _` is how ibis spells a column of any table.
            if any(name.startswith("_") and name != "_" for name in names):
                found.append(path)
    assert found == [USER]


def test_no_other_module_of_the_engine_reads_private_attributes() -> None:
    own = {"self", "cls"}
    found = [
        f"{path}:{node.lineno} .{node.attr}"
        for path, tree in _sources("storage/tables/vast")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
        if path != USER
        if not (isinstance(node.value, ast.Name) and node.value.id in own)
        if not (isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super")
    ]
    assert found == []
