"""The typed rows, the schema and the signatures of Reader and Writer agree."""

from collections.abc import Iterator
from typing import Any, get_args, get_overloads, get_type_hints

import pytest

from storage.tables.declaration import Column, columns_of
from storage.tables.engine import Engine
from storage.tables.rows import JobRow
from storage.tables.schema import TABLES
from storage.tables.sqlite import SqliteEngine
from storage.tables.transaction import Reader, Writer


def typed_tables(method: Any, rows: str) -> Iterator[tuple[str, Any]]:
    """Each table named in an overload of `method`, with the row type in its annotation `rows`."""
    for overload in get_overloads(method):
        hints = get_type_hints(overload)
        row = next((each for each in get_args(hints[rows]) if each is not type(None)), None)
        for table in get_args(hints["table"]):
            yield table, row


def test_columns_follow_from_the_type_of_the_row() -> None:
    assert columns_of(JobRow) == (
        Column("kind", "string"),
        Column("key", "string"),
        Column("due", "int64", nullable=True),
        Column("token", "string", nullable=True),
        Column("worker", "string", nullable=True),
        Column("attempts", "int64"),
        Column("created", "int64"),
        Column("error", "string", nullable=True),
        Column("doc", "json"),
    )


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_only_nullable_columns_may_be_left_out(table: Any) -> None:
    rows = dict(typed_tables(Reader.get, "return"))
    assert rows[table.name].__optional_keys__ == {column.name for column in table.columns if column.nullable}


@pytest.mark.parametrize(
    ("method", "rows"), [(Reader.get, "return"), (Reader.select, "return"), (Writer.insert, "rows")]
)
def test_every_table_has_an_overload_with_its_own_rows(method: Any, rows: str) -> None:
    typed = list(typed_tables(method, rows))
    assert sorted(table for table, _ in typed) == sorted(TABLES)
    assert {table: columns_of(row) for table, row in typed} == {name: t.columns for name, t in TABLES.items()}


@pytest.mark.parametrize("base", [Engine, Reader, Writer])
def test_a_forgotten_method_is_an_error_at_construction(base: type[Any]) -> None:
    class Incomplete(base):  # type: ignore[misc]
        pass

    with pytest.raises(TypeError, match="abstract"):
        Incomplete()


def test_an_engine_without_close_cannot_be_made() -> None:
    incomplete = type("Incomplete", (SqliteEngine,), {"close": Engine.close})
    with pytest.raises(TypeError, match="close"):
        incomplete("sqlite:////nowhere")
