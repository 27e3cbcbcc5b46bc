"""Export and import keep a catalogue the same, byte for byte, on every engine."""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.catalog import tags as tag_rows
from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.tags import TagFilter
from storage.errors import Invalid
from storage.tables import open_engine
from storage.tables.engine import Engine
from storage.tables.import_marker import Hold, Marker, require_complete_import
from storage.tables.rows import SourceRow
from storage.tables.schema import TABLES
from storage.tables.transfer import export_tables, import_tables
from storage.timerange import EMPTY, parse_timerange
from tests.engines.rows import flow_row, segment_row

SECOND = 10**9
TEXTS = ["", "a", "B", "z", "é", "\u2028", "\U0001f600", "ａ", "line\nbreak", '"quoted"']
VALUES: dict[str, list[Any]] = {
    "string": TEXTS,
    "int64": [-(2**63), -1, 0, 1, 2**31, 2**53 + 1, 2**63 - 1],
    "bool": [False, True],
    "json": [{}, {"b": 1, "a": [None, True, 1.5, "é😀", {"z": {}, "y": []}]}, [], "text", {"n": 2**53 + 1}],
}
DERIVED = ("created", "outline_node", "outline_start", "outline_end")


def fill(engine: Engine, rows: int = 40) -> None:
    """Add rows to every table, with every kind of value, and nulls where they are permitted.

    Derived columns are never null, since an import would fill them.
    """
    with engine.write() as tx:
        for table in TABLES.values():
            made: list[Any] = []
            for number in range(rows):
                row = {
                    column.name: None
                    if column.nullable and column.name not in DERIVED and (number + place) % 3 == 0
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
            tx.insert(table.name, made)  # type: ignore[call-overload]


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


def _make_older(folder: Path, release_columns: dict[str, tuple[str, ...]], tables: Sequence[str] = ()) -> None:
    """Turn an export into one of a release without these columns and tables."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for table in tables:
        del manifest["tables"][table]
        (folder / f"{table}.parquet").unlink()
    for table, columns in release_columns.items():
        file = folder / f"{table}.parquet"
        pq.write_table(pq.read_table(file).drop_columns(list(columns)), file)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for table in release_columns:
        _update_digest(folder, table)


def _update_digest(folder: Path, table: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tables"][table]["sha256"] = hashlib.sha256((folder / f"{table}.parquet").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_an_export_of_an_earlier_release_gets_the_columns_that_it_lacks(engine: Engine, tmp_path: Path) -> None:
    """On VAST they may stay null: no filter needs them there."""
    source = open_engine(f"sqlite:///{tmp_path / 'source.sqlite'}")
    source.create()
    flows = [
        flow_row("recorded", created=1, content_start=0, content_end=20 * SECOND),
        flow_row("unknown", created=2),
        flow_row("emptied", created=3, content_start=0, content_end=20 * SECOND),
    ]
    flows[0]["doc"] = {"tags": {"auth_classes": "news_read, news_write"}}
    with source.write() as tx:
        tx.insert("flows", flows)
        tx.insert("segments", [segment_row(0, SECOND, "recorded"), segment_row(5 * SECOND, 9 * SECOND, "unknown")])
        for row in flows:
            tag_rows.replace_rows(tx, "flow", row["id"], row["created"], {"n": "v"})
    export_tables(source, tmp_path / "export", silent)
    source.close()
    _make_older(
        tmp_path / "export",
        {"flows": ("outline_node", "outline_start", "outline_end"), "tags": ("created",), "garbage": ("extension",)},
        tables=[
            "usage",
            "classes",
            "principals",
            "violations",
            "segment_tags",
            "deleted_sources",
            "deleted_flows",
            "deleted_collections",
            "flows_to_delete",
        ],
    )
    import_tables(engine, tmp_path / "export", silent)

    def found(**filters: Any) -> list[str]:
        with engine.read() as tx:
            rows = tx.select("flows", FlowFilter(**filters).conditions(), order=("created", "id"), limit=10)
        return [row["id"] for row in rows]

    assert found(timerange=EMPTY) == ["emptied"]
    assert found(timerange=parse_timerange("[6:0_7:0)")) == ["unknown"]
    assert found(timerange=parse_timerange("[0:0_6:0)")) == ["recorded", "unknown"]
    assert found(tags=TagFilter({"n": ["v"]})) == ["recorded", "unknown", "emptied"]
    with engine.read() as tx:
        classes = tx.select("classes", order=("kind", "owner_id", "name"))
    assert classes == [
        {"kind": "flow", "owner_id": "recorded", "name": name, "created": 1} for name in ("news_read", "news_write")
    ]


def test_an_export_of_an_earlier_release_may_have_columns_that_are_gone(tmp_path: Path) -> None:
    source, other = (open_engine(f"sqlite:///{tmp_path / name}.sqlite") for name in ("source", "other"))
    source.create()
    fill(source, 3)
    export_tables(source, tmp_path / "export", silent)
    files_before = files(tmp_path / "export")
    file = tmp_path / "export" / "deleted_sources.parquet"
    table = pq.read_table(file)
    pq.write_table(table.append_column(pa.field("subject", pa.string(), nullable=False), [["{}"] * 3]), file)
    _update_digest(tmp_path / "export", "deleted_sources")
    other.create()
    import_tables(other, tmp_path / "export", silent)
    export_tables(other, tmp_path / "again", silent)
    assert files(tmp_path / "again") == files_before
    source.close()
    other.close()


def test_an_export_without_a_column_that_it_needs_is_rejected(engine: Engine, tmp_path: Path) -> None:
    fill(engine, 1)
    export_tables(engine, tmp_path / "export", silent)
    _make_older(tmp_path / "export", {"flows": ("created",)})
    other = open_engine(f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.create()
    with pytest.raises(Invalid, match="other columns than the table flows"):
        import_tables(other, tmp_path / "export", silent)
    other.close()


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


def test_two_imports_at_once_do_not_mix(engine: Engine, tmp_path: Path) -> None:
    """The second one is rejected whenever it begins, and the first one is complete."""
    export = exported(tmp_path, 20)
    rejected: list[str] = []

    def begin_another(table: str, _rows: int) -> None:
        if table == "flows":
            with pytest.raises(Invalid, match=r"another import of .* is in progress") as caught:
                import_tables(engine, export, silent)
            rejected.append(str(caught.value))

    import_tables(engine, export, begin_another)
    assert rejected
    export_tables(engine, tmp_path / "again", silent)
    assert files(tmp_path / "again") == files(export)


def test_one_of_two_imports_that_begin_together_succeeds(engine: Engine, tmp_path: Path) -> None:
    export = exported(tmp_path, 5)

    def attempt(_number: int) -> bool:
        try:
            import_tables(engine, export, silent)
        except Invalid:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 1
    export_tables(engine, tmp_path / "again", silent)
    assert files(tmp_path / "again") == files(export)


def test_an_import_that_does_not_respond_is_taken_over(engine: Engine) -> None:
    marker = Marker("export", "digest")
    now = 1e9
    first, second, third = (Hold(engine, marker, clock=lambda: now) for _ in range(3))
    with pytest.raises(Invalid, match="another process has taken over"), first.renewed():
        now += 59
        with pytest.raises(Invalid, match="in progress"), second.renewed():
            pass
        now += 2
        with third.renewed():
            assert third.resumed
            with pytest.raises(Invalid, match="taken over"):
                first.release()
            third.release()
        first.check()


def exported(tmp_path: Path, rows: int) -> Path:
    """The export of a catalogue with so many rows in each table."""
    source = open_engine(f"sqlite:///{tmp_path / 'source.sqlite'}")
    source.create()
    fill(source, rows)
    export_tables(source, tmp_path / "export", silent)
    source.close()
    return tmp_path / "export"


def test_long_documents_are_moved_in_small_batches(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'source.sqlite'}")
    engine.create()
    document = {"tags": {f"name {number}": "value" * 20 for number in range(400)}}
    with engine.write() as tx:
        for number in range(1200):
            row: SourceRow = {
                "id": f"{number:04}",
                "format": "f",
                "label": "",
                "unlabelled": True,
                "created": 1,
                "updated": 1,
                "doc": document,
            }
            tx.insert("sources", [row])
    steps: list[int] = []
    export_tables(engine, tmp_path / "export", lambda table, rows: steps.append(rows) if table == "sources" else None)
    engine.close()
    sizes = [after - before for before, after in zip([0, *steps], steps, strict=False)]
    assert sum(sizes) == 1200
    assert max(sizes) * len(json.dumps(document)) < 20 * 2**20
    other = open_engine(f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.create()
    restored: list[int] = []
    import_tables(other, tmp_path / "export", lambda table, rows: restored.append(rows) if table == "sources" else None)
    other.close()
    assert restored == steps
