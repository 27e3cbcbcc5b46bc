"""Export and import keep a catalogue the same, byte for byte, on every engine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from storage.errors import Invalid
from storage.tables import open_engine
from storage.tables.engine import Engine
from storage.tables.import_marker import require_complete_import
from storage.tables.schema import TABLES
from storage.tables.transfer import export_tables, import_tables

TEXTS = ["", "a", "B", "z", "é", "\u2028", "\U0001f600", "ａ", "line\nbreak", '"quoted"']
VALUES = {
    "string": TEXTS,
    "int64": [-(2**63), -1, 0, 1, 2**31, 2**53 + 1, 2**63 - 1],
    "bool": [False, True],
    "json": [{}, {"b": 1, "a": [None, True, 1.5, "é😀", {"z": {}, "y": []}]}, [], "text", {"n": 2**53 + 1}],
}


def fill(engine: Engine, rows: int = 40) -> None:
    """Add rows to every table, with every kind of value, and nulls where they are permitted."""
    with engine.write() as tx:
        for table in TABLES.values():
            made = []
            for number in range(rows):
                row = {
                    column.name: None
                    if column.nullable and (number + place) % 3 == 0
                    else VALUES[column.type][(number + place) % len(VALUES[column.type])]
                    for place, column in enumerate(table.columns)
                }
                unique = next(c for c in table.columns if c.name in table.key and c.type in ("string", "int64"))
                kept = row[unique.name] or ""
                row[unique.name] = f"{kept}{number}" if unique.type == "string" else number
                if table.span:
                    _, start, end = table.span
                    row |= {start: number * 10, end: number * 10 + 5}
                made.append(row)
            tx.insert(table.name, made)


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def silent(_table: str, _rows: int) -> None:
    """Ignore the progress."""


def test_round_trip_gives_the_same_bytes(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    first = export_tables(engine, tmp_path / "first", silent)
    assert first == dict.fromkeys(TABLES, 40)
    other = open_engine(f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.create()
    assert import_tables(other, tmp_path / "first", silent) == first
    require_complete_import(other)
    export_tables(other, tmp_path / "second", silent)
    other.close()
    assert files(tmp_path / "first") == files(tmp_path / "second")


def test_an_export_can_be_imported_into_any_engine(engine: Engine, tmp_path: Path) -> None:
    source = open_engine(f"sqlite:///{tmp_path / 'source.sqlite'}")
    source.create()
    fill(source)
    export_tables(source, tmp_path / "first", silent)
    source.close()
    import_tables(engine, tmp_path / "first", silent)
    export_tables(engine, tmp_path / "second", silent)
    assert files(tmp_path / "first") == files(tmp_path / "second")


def test_import_needs_an_empty_catalogue(engine: Engine, tmp_path: Path) -> None:
    fill(engine, 1)
    export_tables(engine, tmp_path / "export", silent)
    with pytest.raises(Invalid, match="must be empty"):
        import_tables(engine, tmp_path / "export", silent)


def _truncate(folder: Path) -> None:
    file = folder / "flows.parquet"
    file.write_bytes(file.read_bytes()[:-10])


def _remove(folder: Path) -> None:
    (folder / "tags.parquet").unlink()


def _no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("damage", [_truncate, _remove, _no_manifest])
def test_a_damaged_export_is_rejected_and_nothing_is_written(
    engine: Engine, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    source = open_engine(f"sqlite:///{tmp_path / 'source.sqlite'}")
    source.create()
    fill(source, 2)
    export_tables(source, tmp_path / "export", silent)
    source.close()
    damage(tmp_path / "export")
    with pytest.raises(Invalid):
        import_tables(engine, tmp_path / "export", silent)
    require_complete_import(engine)
    with engine.read() as tx:
        assert not any(tx.select(table, limit=1) for table in TABLES)


def test_an_interrupted_import_is_detected(engine: Engine, tmp_path: Path) -> None:
    source = open_engine(f"sqlite:///{tmp_path / 'source.sqlite'}")
    source.create()
    fill(source, 2)
    export_tables(source, tmp_path / "export", silent)
    source.close()

    def stop(table: str, _rows: int) -> None:
        if table == "flows":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_tables(engine, tmp_path / "export", stop)
    with pytest.raises(Invalid, match="was not completed"):
        require_complete_import(engine)
