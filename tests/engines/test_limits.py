"""Every engine stores the longest text and the largest document that the limits permit, and rejects one byte more."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.errors import Conflict, Invalid
from storage.tables import open_engine
from storage.tables.conditions import Compare, In, equals
from storage.tables.declaration import Column, Table
from storage.tables.engine import Engine
from storage.tables.limits import LIMITS, OBJECT_ID, TAG_VALUE
from storage.tables.schema import TABLES
from storage.tables.transfer import export_tables, import_tables

_RANDOM = random.Random(1)
_CHARACTERS = [chr(c) for c in (*range(0x23, 0x5C), *range(0x5D, 0x7F), *range(0x3A3, 0x400), *range(0x4E00, 0x9FA6))]
"""Of one, two and three bytes, none escaped in JSON, so many that no database can compress a text of them."""

_TEXT_COLUMNS = [
    pytest.param(table, column, id=f"{table.name}.{column.name}")
    for table in TABLES.values()
    for column in table.columns
    if column.name in LIMITS[table.name]
]


def incompressible(size: int) -> str:
    """A text of `size` bytes of UTF-8."""
    text = "".join(_RANDOM.choices(_CHARACTERS, k=size)).encode()[:size].decode("utf-8", "ignore")
    return text + "~" * (size - len(text.encode()))


def value_of(column: Column, size: int) -> Any:
    """A value that takes `size` bytes as stored."""
    if column.type == "string":
        return incompressible(size)
    return {"a": incompressible(size - len('{"a":""}'))} if size > 8 else {}


def full_row(table: Table, excess: str = "") -> dict[str, Any]:
    """A row whose texts and documents are all as long as permitted; that of the column `excess` is one byte longer."""
    limits = LIMITS[table.name]
    return {
        column.name: value_of(column, limits[column.name] + (column.name == excess))
        if column.name in limits
        else (column.type == "bool" or next(_NUMBERS))
        for column in table.columns
    }


_NUMBERS = itertools.count(1)


def test_every_column_of_text_has_a_limit() -> None:
    declared = {
        table.name: {c.name for c in table.columns if c.type in ("string", "json")} for table in TABLES.values()
    }
    assert {name: set(limits) for name, limits in LIMITS.items()} == declared


def test_the_longest_values_are_stored_in_every_column_at_once(engine: Engine) -> None:
    rows = {table.name: [full_row(table) for _ in range(3)] for table in TABLES.values()}
    with engine.write() as tx:
        for name, made in rows.items():
            tx.insert(name, made[:1])
            tx.insert(name, made[1:])
    with engine.read() as tx:
        for table in TABLES.values():
            assert tx.select(table.name, order=table.key) == sorted(
                rows[table.name], key=lambda row: [row[name] for name in table.key]
            )
            for row in rows[table.name]:
                assert tx.get(table.name, **{name: row[name] for name in table.key}) == row


@pytest.mark.parametrize(("table", "column"), _TEXT_COLUMNS)
def test_one_byte_more_is_rejected_before_anything_is_written(tmp_path: Path, table: Table, column: Column) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    engine.create()
    most = LIMITS[table.name][column.name]
    row = full_row(table, column.name)
    with pytest.raises(Invalid, match=rf"at most {most} bytes .*not {most + 1}"), engine.write() as tx:
        tx.insert(table.name, [row])
    with engine.write() as tx:
        with pytest.raises(Invalid, match=f"not {most + 1}"):
            tx.update(table.name, equals(**{table.key[0]: row[table.key[0]]}), {column.name: row[column.name]})
        assert tx.select(table.name) == []
    engine.close()


def test_long_values_of_tags_are_told_apart_and_found(engine: Engine) -> None:
    start = incompressible(TAG_VALUE - 1)
    rows: list[Any] = [
        {"kind": "flow", "owner_id": f"f{n}", "name": "n", "value": start + end, "empty": False, "created": n}
        for n, end in enumerate("abc")
    ]
    with engine.write() as tx:
        tx.insert("tags", rows)
    with engine.read() as tx:
        assert tx.select("tags", [Compare("value", "==", rows[1]["value"])]) == [rows[1]]
        found = tx.select("tags", [*equals(kind="flow", name="n"), In("value", [rows[0]["value"], rows[2]["value"]])])
        assert sorted(row["owner_id"] for row in found) == ["f0", "f2"]
        assert tx.select("tags", [In("value", [])]) == []
    with pytest.raises(Conflict), engine.write() as tx:
        tx.insert("tags", rows[:1])


def _export_with(folder: Path, limits: Any, table: str, row: dict[str, Any]) -> None:
    """Export a catalogue that has this row, as an older release without limits did."""
    engine = open_engine(f"sqlite:///{folder / 'old.sqlite'}")
    engine.create()
    limits()
    with engine.write() as tx:
        tx.insert(table, [row])
    export_tables(engine, folder / "export", lambda _table, _rows: None)
    engine.close()


@pytest.mark.parametrize(("name", "column"), [("objects", "id"), ("flows", "doc"), ("tags", "value")])
def test_an_import_names_the_value_that_is_too_long(
    new_url: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, column: str
) -> None:
    table = TABLES[name]
    row = full_row(table, column)
    with monkeypatch.context() as patch:
        unchecked = "storage.tables.transaction.writer.check_row", lambda *_: None
        _export_with(tmp_path, lambda: patch.setattr(*unchecked), name, row)
    engine = open_engine(new_url())
    engine.create()
    most = LIMITS[name][column]
    with pytest.raises(Invalid) as raised:
        import_tables(engine, tmp_path / "export", lambda _table, _rows: None)
    message = raised.value.message
    assert f"{name}.parquet" in message
    assert f"{column} has {most + 1} bytes, and at most {most}" in message
    assert repr(row[table.key[0]])[:20] in message
    assert len(message) < 1000
    with engine.read() as tx:
        assert not any(tx.select(each, limit=1) for each in TABLES)
    engine.close()


def test_the_rows_of_every_index_fit_into_a_row_of_a_b_tree() -> None:
    """PostgreSQL: 2,704 bytes with 8 of a header, and up to 8 for the length and alignment of each column."""
    for table in TABLES.values():
        listing = table.listing
        filters = [(*names, *listing.order) for names in listing.filters] if listing else []
        for names in (table.key, *table.indexes, *filters):
            sizes = [16 if name in table.hashed else LIMITS[table.name].get(name, 8) for name in names]
            assert 8 + sum(size + 8 for size in sizes) <= 2704, (table.name, names)


def test_an_object_id_leaves_room_in_a_url() -> None:
    """Of 2,048 characters: for the endpoint, the bucket, the prefix and the signature, if each byte needs three."""
    assert OBJECT_ID * 3 + 800 <= 2048
