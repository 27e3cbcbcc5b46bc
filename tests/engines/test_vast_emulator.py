"""The emulated VAST cluster as seen by the SDK: the foundation of the engine's tests."""

from typing import Any

import httpx
import pyarrow as pa
import pytest
import vastdb
from ibis import _ as row
from vastdb import errors
from vastdb.config import QueryConfig

from tests.vast_emulator import Emulator

COLUMNS = pa.schema([("name", pa.string()), ("number", pa.int64()), ("truth", pa.bool_())])
ROWS = {"name": ["a", "b", "c", None], "number": [1, 2, 3, None], "truth": [True, False, None, True]}


@pytest.fixture
def session(emulator: Emulator) -> Any:
    return _connect(emulator, "access")


def _connect(emulator: Emulator, access: str) -> Any:
    return vastdb.connect(access=access, secret="any", endpoint=f"http://127.0.0.1:{emulator.port}", timeout=10)


def _table(tx: Any, name: str = "plain") -> Any:
    return tx.bucket("tams").schema("s").table(name)


@pytest.fixture
def filled(session: Any) -> Any:
    """A session whose schema has the same rows in a plain table and in a sorted one."""
    with session.transaction() as tx:
        schema = tx.bucket("tams").create_schema("s")
        for name, key in (("plain", []), ("ordered", ["name", "number"])):
            schema.create_table(name, COLUMNS, sorting_key=key).insert(pa.record_batch(ROWS, schema=COLUMNS))
    return session


@pytest.mark.parametrize("table", ["plain", "ordered"])
@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (None, {1, 2, 3, None}),
        (row.number == 2, {2}),
        (row.number != 2, {1, 3}),
        ((row.number > 1) & (row.name < "c"), {2}),
        ((row.number <= 1) | (row.number >= 3), {1, 3}),
        (row.name.isin(["a", "c", "nobody"]), {1, 3}),
        (row.number.between(2, 3), {2, 3}),
        (row.name.isnull(), {None}),
        (~row.name.isnull(), {1, 2, 3}),
        (row.name.startswith("b"), {2}),
        (row.name.contains("c"), {3}),
        (row.truth == True, {1, None}),  # noqa: E712
    ],
)
def test_predicates_select_rows(filled: Any, table: str, predicate: Any, expected: set[int | None]) -> None:
    with filled.transaction() as tx:
        found = _table(tx, table).select(["number"], predicate).read_all()
    assert sorted(found["number"].to_pylist(), key=str) == sorted(expected, key=str)


def test_many_rows_are_returned_in_parts_and_unordered(filled: Any) -> None:
    numbers = list(range(10, 30_010))
    batch = pa.record_batch({"name": ["n"] * len(numbers), "number": numbers, "truth": [True] * len(numbers)})
    with filled.transaction() as tx:
        _table(tx).insert(batch)
    config = QueryConfig(num_splits=3, num_sub_splits=4, limit_rows_per_sub_split=1000)
    with filled.transaction() as tx:
        found = _table(tx).select(["number"], row.name == "n", config).read_all()["number"].to_pylist()
        some = _table(tx).select(["number"], row.name == "n", limit_rows=17).read_all()
    assert sorted(found) == numbers != found
    assert some.num_rows == 17


@pytest.mark.parametrize(("table", "id_type"), [("plain", pa.uint64()), ("ordered", pa.decimal128(38, 0))])
def test_rows_are_updated_and_deleted_by_id(filled: Any, table: str, id_type: pa.DataType) -> None:
    with filled.transaction() as tx:
        found = _table(tx, table).select(["truth"], row.number <= 2, internal_row_id=True).read_all()
        assert found.schema.field("$row_id").type == id_type
        changed = found.set_column(0, "truth", pa.nulls(2, pa.bool_()))
        _table(tx, table).update(changed)
        _table(tx, table).delete(found.slice(1, 1))
    with filled.transaction() as tx:
        left = _table(tx, table).select(["truth"], row.number <= 2).read_all()
    assert left["truth"].to_pylist() == [None]


def test_the_sorting_key_cannot_be_updated(filled: Any) -> None:
    with pytest.raises(errors.BadRequest, match="sorting key"), filled.transaction() as tx:
        found = _table(tx, "ordered").select(["number"], row.name == "a", internal_row_id=True).read_all()
        _table(tx, "ordered").update(found)


def test_a_transaction_sees_its_snapshot_and_its_own_changes(filled: Any) -> None:
    with filled.transaction() as one, filled.transaction() as two:
        _table(one).insert(pa.record_batch(ROWS, schema=COLUMNS))
        assert _table(one).select(["name"]).read_all().num_rows == 8
        assert _table(two).select(["name"]).read_all().num_rows == 4


def test_one_of_two_conflicting_updates_fails_where_the_mode_says(emulator: Emulator, filled: Any) -> None:
    one, two = filled.transaction().__enter__(), filled.transaction().__enter__()
    found = _table(one).select(["truth"], row.number == 1, internal_row_id=True).read_all()
    _table(one).update(found)
    if emulator.store.mode == "statement":
        with pytest.raises(errors.Conflict):
            _table(two).update(found)
        one.__exit__(None, None, None)
    else:
        _table(two).update(found)
        one.__exit__(None, None, None)
        with pytest.raises(errors.Conflict):
            two.__exit__(None, None, None)


def test_an_oversized_cell_is_rejected(filled: Any) -> None:
    with pytest.raises(errors.BadRequest, match="cell"), filled.transaction() as tx:
        _table(tx).insert(pa.record_batch({"name": ["x" * (200 << 10)], "number": [1], "truth": [True]}))


def test_an_unknown_access_key_is_rejected(emulator: Emulator, filled: Any) -> None:
    with pytest.raises(errors.Forbidden):
        _connect(emulator, "somebody")


def test_faults_and_counters_are_controlled_over_http(emulator: Emulator, filled: Any) -> None:
    base = f"http://127.0.0.1:{emulator.port}/-"
    httpx.put(f"{base}/faults", json=[{"kind": "error", "requests": ["begin"], "times": 1}])
    httpx.delete(f"{base}/counters")
    with pytest.raises(errors.InternalServerError), filled.transaction():
        pass
    with filled.transaction():
        pass
    assert httpx.get(f"{base}/counters").json() == {"500": 1, "begin": 1, "commit": 1}
