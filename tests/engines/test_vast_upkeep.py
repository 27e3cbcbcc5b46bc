"""The VAST engine's tables, projections, probe and address."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest

from storage.errors import Invalid
from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.tables.vast import VastEngine
from storage.tables.vast.address import parse_address
from storage.tables.vast.layout import CELL_BYTES, FORMS
from storage.tables.vast.probe import allow_several_writers, probe
from storage.tables.vast.projections import disable_projections, enable_projections, projection_states
from tests.engines.rows import flow_row
from tests.vast_emulator import Emulator
from tests.vast_emulator.store import Transaction


@pytest.fixture
def engine(emulator: Emulator) -> Iterator[VastEngine]:
    engine = open_engine(emulator.url("kept"))
    assert isinstance(engine, VastEngine)
    engine.create()
    yield engine
    engine.close()


def test_tables_that_are_read_in_ranges_are_sorted_by_their_key(emulator: Emulator, engine: VastEngine) -> None:
    engine.create()
    made = {path[-1]: table.sort for path, table in emulator.store.catalogue.items() if table is not None}
    assert made == {name: form.sort for name, form in FORMS.items()}
    assert made["segments"] == ("flow_id", "start_ns")
    assert made["flows"] == made["locks"] == ()


def test_no_request_looks_at_a_definition_once_the_tables_are_there(emulator: Emulator, engine: VastEngine) -> None:
    other = open_engine(engine_url := emulator.url("kept"))
    emulator.counters.clear()
    with other.write() as tx:
        tx.insert("service", [{"key": "k", "value": {"v": 1}}])
        assert tx.get("service", key="k") == {"key": "k", "value": {"v": 1}}
    other.close()
    assert engine_url
    kinds = {kind for kind, count in emulator.counters.items() if count} - {"rows returned", "rows examined"}
    assert kinds <= {"probe", "begin", "select", "update", "insert", "commit"}


def test_a_table_of_another_form_is_refused(emulator: Emulator, engine: VastEngine) -> None:
    with engine.cluster.defining() as schema:
        schema.table("jobs").drop()
        schema.create_table("jobs", FORMS["flows"].schema)
    with pytest.raises(ValueError, match="VAST table jobs has columns"):
        engine.create()


def test_a_table_sorted_otherwise_is_refused(emulator: Emulator, engine: VastEngine) -> None:
    with engine.cluster.defining() as schema:
        schema.table("tags").drop()
        schema.create_table("tags", FORMS["tags"].schema, sorting_key=["name"])
    with pytest.raises(ValueError, match="VAST table tags is sorted by"):
        engine.create()


def test_flows_of_the_first_release_become_those_of_today(emulator: Emulator, engine: VastEngine) -> None:
    """Their rows were no locks, there was no notice, and segments had their time of change elsewhere."""
    later = {"segments_updated", "content_start", "content_end", "holders"}
    first_release = pa.schema([field for field in FORMS["flows"].schema if field.name not in later])
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
    with engine.cluster.defining() as schema:
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
    assert "flow_state" not in {path[-1] for path in emulator.store.catalogue}


def test_a_column_that_came_later_is_added(emulator: Emulator, engine: VastEngine) -> None:
    schema_before = FORMS["jobs"].schema.remove(FORMS["jobs"].schema.get_field_index("error"))
    with engine.cluster.defining() as schema:
        schema.table("jobs").drop()
        schema.create_table("jobs", schema_before)
    engine.create()
    row = {"kind": "k", "key": "1", "attempts": 0, "created": 0, "error": "why", "doc": {}}
    with engine.write() as tx:
        tx.insert("jobs", [row])
        found = tx.get("jobs", kind="k", key="1")
    assert found is not None
    assert found["error"] == "why"


def test_a_missing_bucket_is_told(emulator: Emulator) -> None:
    engine = open_engine(emulator.url("s").replace("/tams/", "/elsewhere/"))
    with pytest.raises(ValueError, match="no bucket elsewhere"):
        engine.create()


def test_projections_come_and_go(engine: VastEngine) -> None:
    states = projection_states(engine)
    assert states
    assert not any(state.enabled for state in states)
    assert not any(FORMS[state.table].sort for state in states)
    assert all(state.enabled for state in enable_projections(engine))
    assert all(state.enabled for state in enable_projections(engine))
    assert not any(state.enabled for state in disable_projections(engine))


def test_the_probe_finds_what_the_engine_needs(emulator: Emulator, engine: VastEngine) -> None:
    findings = probe(engine)
    for finding in findings:
        print(f"{'yes' if finding.holds else 'NO ':4} {finding.name}: {finding.fact}")
    assert all(finding.holds for finding in findings)
    assert allow_several_writers(findings)
    where = "at its update" if emulator.store.mode == "statement" else "at its commit"
    assert where in findings[0].fact
    assert where.removeprefix("at its ") in findings[2].fact
    assert not any(path[-1].startswith("probe") for path in emulator.store.catalogue)


def test_the_probe_refuses_several_writers_where_the_last_one_wins(
    engine: VastEngine, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that lets both transactions commit: made here by forgetting who changed a row."""

    def forget(tx: object, request: object) -> None:
        for _, table in ((p, t) for p, t in emulator.store.catalogue.items() if t is not None):
            table.rows.changed.clear()
            table.rows.writers.clear()

    commit, update = emulator._commit, emulator._update
    monkeypatch.setattr(emulator, "_commit", lambda tx, request: (forget(tx, request), commit(tx, request))[1])
    monkeypatch.setattr(emulator, "_update", lambda tx, request: (forget(tx, request), update(tx, request))[1])
    findings = probe(engine)
    assert [finding.holds for finding in findings[:4]] == [False] * 4
    assert "neither" in findings[0].fact
    assert not allow_several_writers(findings)


def test_the_probe_refuses_several_writers_where_only_open_transactions_conflict(
    engine: VastEngine, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster with locks of rows that end with their transaction, and no memory of what has changed since."""

    def forget() -> None:
        for table in [table for table in emulator.store.catalogue.values() if table is not None]:
            table.rows.changed.clear()

    commit, update = emulator._commit, emulator._update
    monkeypatch.setattr(emulator, "_commit", lambda tx, request: (forget(), commit(tx, request))[1])
    monkeypatch.setattr(emulator, "_update", lambda tx, request: (forget(), update(tx, request))[1])
    findings = probe(engine)
    if emulator.store.mode == "statement":
        assert [finding.holds for finding in findings[:2]] == [True, True]
    assert [finding.holds for finding in findings[2:4]] == [False, False]
    assert "taken" in findings[2].fact
    assert not allow_several_writers(findings)


_DIRECTLY = ("reads of a plain table", "reads of a sorted table", "a commit shows")


def _of_direct_reads(engine: VastEngine) -> list[str]:
    """What the probe says of reads without a transaction, where it finds nothing else amiss."""
    found = probe(engine)
    direct = [finding for finding in found if finding.name.startswith(_DIRECTLY)]
    assert all(finding.holds for finding in found if finding not in direct)
    assert allow_several_writers(found)
    assert not any(finding.holds for finding in direct)
    return [finding.fact for finding in direct]


def test_the_probe_tells_of_a_cluster_that_wants_transactions(emulator: Emulator, engine: VastEngine) -> None:
    emulator.direct = False
    plain, sorted_, at_once = _of_direct_reads(engine)
    assert plain.startswith("refused, so that each takes a transaction")
    assert sorted_.startswith("refused, so that each takes a transaction")
    assert at_once.startswith("not tried")


def test_the_probe_tells_of_reads_that_are_late(
    emulator: Emulator, engine: VastEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that shows commits without a transaction later than with one, and every other time later yet."""
    current, ids = emulator.store.moment_now, itertools.count()

    def late() -> Transaction:
        now = current()
        return replace(now, seen=now.seen - (2 if next(ids) % 2 else 1))

    emulator.store.begin()  # So that it keeps what was before.
    monkeypatch.setattr(emulator.store, "moment_now", late)
    for fact in _of_direct_reads(engine):
        assert "set ?direct=no" in fact


def test_the_probe_tells_of_reads_that_see_nothing(
    emulator: Emulator, engine: VastEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = emulator.store.moment_now
    monkeypatch.setattr(emulator.store, "moment_now", lambda: replace(current(), seen=0))
    found = [finding for finding in probe(engine) if finding.name.startswith(_DIRECTLY[:2])]
    assert [finding.holds for finding in found] == [False, False]
    assert all("None before a commit" in finding.fact for finding in found)


def test_too_long_a_document_is_refused_with_the_limit(engine: VastEngine) -> None:
    with pytest.raises(Invalid, match=str(CELL_BYTES)), engine.write() as tx:
        tx.insert("service", [{"key": "k", "value": "x" * CELL_BYTES}])
    with engine.read() as tx:
        assert tx.select("service") == []


def test_an_address_says_where_and_never_shows_the_secret() -> None:
    address = parse_address("vast://key:s%2Fecret@cluster.example:8443/bucket/schema?ca=/etc/ca.pem&timeout=3")
    assert address.endpoint == "https://cluster.example:8443"
    assert (address.access, address.secret, address.bucket, address.schema) == ("key", "s/ecret", "bucket", "schema")
    assert (address.verify, address.answer_s) == ("/etc/ca.pem", 3)
    assert "s/ecret" not in repr(address)
    assert parse_address("vast+http://k@h/b/s", "given").secret == "given"
    assert not parse_address("vast://k:s@h/b/s?direct=no&queue=no&patience=0.5").direct
    wrong = ("direct=false", "queue=", "patience=-1", "timeout=0", "timeout=abc", "patience=inf", "timeout=nan")
    for option in wrong:
        with pytest.raises(ValueError, match=option.partition("=")[0]):
            parse_address(f"vast://k:s@h/b/s?{option}")
    for url in ("vast://k@h/b/s", "vast://h/b/s", "vast://k:s@h/b", "vast://k:s@h/b/s?tiemout=3"):
        with pytest.raises(ValueError):
            parse_address(url)
