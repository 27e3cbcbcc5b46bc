"""F8: the VAST engine's tables, presence flags, projections and address."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from storage.catalog.tags import replace_rows
from storage.errors import Invalid
from storage.tables import open_engine
from storage.tables import vast as engine_package
from storage.tables.conditions import Compare, equals
from storage.tables.declaration import PresenceFlag
from storage.tables.limits import STORED_DOCUMENT
from storage.tables.vast import VastEngine, presence_flag
from storage.tables.vast.address import parse_address
from storage.tables.vast.layout import LAYOUTS
from storage.tables.vast.projections import disable_projections, enable_projections, projection_states
from tests.engines.rows import flow_row
from tests.vast_emulator import Emulator

_SOME: Mapping[str, Any] = {"string": "text", "int64": 1, "bool": False, "json": {}}
"""A value of each type of column."""


@pytest.fixture
def engine(emulator: Emulator) -> Iterator[VastEngine]:
    engine = open_engine(emulator.url("kept"))
    assert isinstance(engine, VastEngine)
    engine.create()
    yield engine
    engine.close()


def test_tables_read_by_ranges_are_sorted_by_their_key(emulator: Emulator, engine: VastEngine) -> None:
    engine.create()
    definitions = emulator.store.definitions
    created = {path[-1]: table.sorting_key for path, table in definitions.items() if table is not None}
    assert created == {name: layout.sorting_key for name, layout in LAYOUTS.items()}
    assert created["segments"] == ("flow_id", "start_ns")
    assert created["flows"] == created["locks"] == ()


def test_reads_and_writes_request_no_table_definitions(emulator: Emulator, engine: VastEngine) -> None:
    other = open_engine(emulator.url("kept"))
    emulator.counters.clear()
    with other.write() as tx:
        tx.insert("service", [{"key": "k", "value": {"v": 1}}])
        assert tx.get("service", key="k") == {"key": "k", "value": {"v": 1}}
    other.close()
    kinds = {kind for kind, count in emulator.counters.items() if count} - {"rows returned", "rows examined"}
    assert kinds <= {"probe", "begin", "select", "update", "insert", "commit"}


def test_a_table_with_wrong_columns_is_rejected(emulator: Emulator, engine: VastEngine) -> None:
    with engine.cluster.schema_transaction() as schema:
        schema.table("jobs").drop()
        schema.create_table("jobs", LAYOUTS["flows"].schema)
    with pytest.raises(ValueError, match="VAST table jobs has columns"):
        engine.create()


def test_a_table_with_another_sorting_key_is_rejected(emulator: Emulator, engine: VastEngine) -> None:
    with engine.cluster.schema_transaction() as schema:
        schema.table("tags").drop()
        schema.create_table("tags", LAYOUTS["tags"].schema, sorting_key=["name"])
    with pytest.raises(ValueError, match="VAST table tags is sorted by"):
        engine.create()


def test_tables_of_the_first_release_are_migrated(emulator: Emulator, engine: VastEngine) -> None:
    """Its flows were no locks, had no presence flag, and kept `segments_updated` in a table of its own."""
    later = {"segments_updated", "content_start", "content_end", "holders"}
    first_release = pa.schema([field for field in LAYOUTS["flows"].schema if field.name not in later])
    states = pa.schema([("flow_id", pa.string()), ("version", pa.int64()), ("segments_updated", pa.int64())])
    webhook = {
        "url": "u",
        "enabled": True,
        "status": "created",
        "owner": "o",
        "base_url": "b",
        "created": 0,
        "since": 0,
    }
    with engine.write() as tx:
        tx.insert("webhooks", [{**webhook, "id": "w", "doc": {}}])
    with engine.cluster.schema_transaction() as schema:
        schema.table("flows").drop()
        flows = schema.create_table("flows", first_release)
        rows = [{**flow_row(id_), "doc": "{}"} for id_ in ("one", "two")]
        flows.insert(pa.Table.from_pylist(rows, schema=first_release))
        kept = [{"flow_id": "one", "version": 3, "segments_updated": 7}, {"flow_id": "two", "version": 0}]
        schema.create_table("flow_state", states).insert(pa.Table.from_pylist(kept, schema=states))
    for _ in range(2):
        engine.create()
        with engine.write() as tx:
            tx.lock("flow:one")
            assert tx.select("webhooks", equals(enabled=True), limit=1, columns=["id"]) == [{"id": "w"}]
            found = {row["id"]: (row["segments_updated"], row["content_start"]) for row in tx.select("flows")}
        assert found == {"one": (7, None), "two": (None, None)}
    assert "flow_state" not in {path[-1] for path in emulator.store.definitions}


def test_classes_of_earlier_releases_get_their_rows(engine: VastEngine) -> None:
    documents: dict[str, Any] = {"list": ["a_read", "b, c"], "text": "a_read, b_write", "none": []}
    with engine.write() as tx:
        for name, value in documents.items():
            tx.insert("flows", [{**flow_row(name), "created": 5, "doc": {"tags": {"auth_classes": value}}}])
            replace_rows(tx, "flow", name, 5, {"auth_classes": value})
        tx.insert("flows", [flow_row("untagged")])
    with engine.cluster.schema_transaction() as schema:
        schema.table("classes").drop()
    for _ in range(2):
        engine.create()
        with engine.read() as tx:
            rows = tx.select("classes", order=("kind", "owner_id", "name"))
        assert [(row["owner_id"], row["name"], row["created"]) for row in rows] == [
            ("list", "a_read", 5),
            ("list", "b, c", 5),
            ("text", "a_read", 5),
            ("text", "b_write", 5),
        ]


def test_a_column_that_is_gone_is_ignored(engine: VastEngine) -> None:
    layout = LAYOUTS["deleted_sources"]
    former = layout.schema.append(pa.field("subject", pa.string()))
    row = {name: _SOME[column.type] for name, column in layout.columns.items()}
    with engine.cluster.schema_transaction() as schema:
        schema.table(layout.name).drop()
        table = schema.create_table(layout.name, former)
        table.insert(pa.Table.from_pylist([{**row, "id": "one", "doc": "{}", "subject": "{}"}], schema=former))
    engine.create()
    with engine.write() as tx:
        tx.insert("deleted_sources", [{**row, "id": "two"}])  # type: ignore[call-overload]
    with engine.read() as tx:
        rows = tx.select("deleted_sources", order=("id",))
    assert rows == [{**row, "id": "one"}, {**row, "id": "two"}]


def test_a_missing_nullable_column_is_added(emulator: Emulator, engine: VastEngine) -> None:
    schema_before = LAYOUTS["jobs"].schema.remove(LAYOUTS["jobs"].schema.get_field_index("error"))
    with engine.cluster.schema_transaction() as schema:
        schema.table("jobs").drop()
        schema.create_table("jobs", schema_before)
    engine.create()
    row = {"kind": "k", "key": "1", "attempts": 0, "created": 0, "error": "why", "doc": {}}
    with engine.write() as tx:
        tx.insert("jobs", [row])
        found = tx.get("jobs", kind="k", key="1")
    assert found is not None
    assert found["error"] == "why"


def test_a_missing_bucket_is_reported(emulator: Emulator) -> None:
    engine = open_engine(emulator.url("s").replace("/tams/", "/elsewhere/"))
    with pytest.raises(ValueError, match="no bucket elsewhere"):
        engine.create()


def test_projections_are_created_and_dropped(engine: VastEngine) -> None:
    states = projection_states(engine.cluster)
    assert states
    assert not any(state.enabled for state in states)
    assert not any(LAYOUTS[state.table].sorting_key for state in states)
    assert all(state.enabled for state in enable_projections(engine.cluster))
    assert all(state.enabled for state in enable_projections(engine.cluster))
    assert not any(state.enabled for state in disable_projections(engine.cluster))


def test_a_document_beyond_the_size_limit_is_rejected(engine: VastEngine) -> None:
    with pytest.raises(Invalid, match=str(STORED_DOCUMENT)), engine.write() as tx:
        tx.insert("service", [{"key": "k", "value": "x" * STORED_DOCUMENT}])
    with engine.read() as tx:
        assert tx.select("service") == []


def test_database_urls_are_parsed_and_never_show_the_secret() -> None:
    address = parse_address("vast://key:s%2Fecret@cluster.example:8443/bucket/schema?ca=/etc/ca.pem&timeout=3")
    assert address.endpoint == "https://cluster.example:8443"
    assert (address.access, address.secret, address.bucket, address.schema) == ("key", "s/ecret", "bucket", "schema")
    assert (address.verify, address.response_s) == ("/etc/ca.pem", 3)
    assert "s/ecret" not in repr(address)
    assert parse_address("vast+http://k@h/b/s", "given").secret == "given"
    assert not parse_address("vast://k:s@h/b/s?direct=no&queue=no&patience=0.5").direct_reads
    wrong = ("direct=false", "queue=", "patience=-1", "timeout=0", "timeout=abc", "patience=inf", "timeout=nan")
    for option in wrong:
        with pytest.raises(ValueError, match=option.partition("=")[0]):
            parse_address(f"vast://k:s@h/b/s?{option}")
    for url in ("vast://k@h/b/s", "vast://h/b/s", "vast://k:s@h/b", "vast://k:s@h/b/s?tiemout=3"):
        with pytest.raises(ValueError):
            parse_address(url)


def test_the_engine_does_not_mention_webhooks() -> None:
    """What it does for webhooks follows from the schema's declarations."""
    modules = Path(engine_package.__file__).parent.glob("*.py")
    assert [module.name for module in modules if "webhook" in module.read_text().lower()] == []


@pytest.mark.parametrize("flags", [("segments",), ("flows", "flows")], ids=["no_lock_row", "second_flag"])
def test_presence_flags_that_cannot_be_stored_are_rejected(
    monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    declared = tuple(PresenceFlag(f"flag{n}", Compare("id", "==", "x"), carrier) for n, carrier in enumerate(flags))
    tables = {"sources": replace(LAYOUTS["sources"].table, presence_flags=declared)}
    monkeypatch.setattr(presence_flag, "TABLES", tables)
    with pytest.raises(ValueError, match=f"presence flag flag{len(flags) - 1}"):
        presence_flag.stored_flags()
