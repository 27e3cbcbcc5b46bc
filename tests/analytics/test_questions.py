"""F12: the answers to the questions of operators, on a catalogue whose answers are known, on every database."""

from datetime import UTC, datetime
from typing import Any

import pytest

from storage.analytics.questions import QUESTIONS
from storage.analytics.request import Place
from storage.analytics.views import VIEWS
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from tests.analytics.asking import ask, ask_sql, place
from tests.analytics.small_catalogue import (
    AUDIO,
    CAMERA,
    COLD,
    EMPTY,
    FAILING,
    HOOK,
    HOT,
    HOUR,
    MICROPHONE,
    NOW,
    PROFILE,
    PROXY,
    SECOND,
    VIDEO,
    fill,
)

S = 10**9


def at(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // SECOND, UTC).replace(tzinfo=None)


@pytest.fixture
def small(engine: Engine, engine_url: str) -> Place:
    fill(engine)
    return place(engine_url)


def cut(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_every_answer_is_as_counted_by_hand(small: Place) -> None:
    """In one test, so that a database is filled once."""
    usage = ("segments", "duration_ns", "objects", "bytes", "objects_without_size")
    assert cut(ask(small, "usage-by-source"), "source_id", "flows", *usage) == [
        (MICROPHONE, 1, 2, 2 * S - 1, 2, 2**62, 1),
        (CAMERA, 2, 12, 24 * S, 9, 10_000, 0),  # Object 0 is stored twice; both flows use it, and it counts once.
    ]
    assert cut(ask(small, "usage-by-flow"), "flow_id", *usage) == [
        (AUDIO, 2, 2 * S - 1, 2, 2**62, 1),
        (VIDEO, 9, 18 * S, 10, 10_000, 0),
        (PROXY, 3, 6 * S, 3, 3_000, 0),
        (EMPTY, 0, 0, 0, 0, 0),
    ]
    assert cut(
        ask(small, "usage-by-backend"), "storage_id", "objects", "bytes", "duration_ns", "unreferenced_objects"
    ) == [(COLD, 3, 2**62 + 1_000, 2 * S, 0), (HOT, 10, 10_000, 18 * S, 1)]
    assert cut(ask(small, "ingest-by-hour", hours=3), "hour", "segments", "flows", "duration_ns", "instances") == [
        (at(NOW), 0, 0, 0, 1),
        (at(NOW - HOUR), 3, 1, 6 * S, 1),
        (at(NOW - 2 * HOUR), 2, 1, 2 * S - 1, 2),
    ]
    assert [row["segments"] for row in ask(small, "ingest-by-hour", hours=100)] == [0, 3, 2, 9]
    assert cut(ask(small, "gaps-by-flow"), "flow_id", "gaps", "longest_ns", "missing_ns") == [
        (VIDEO, 1, 2 * S, 2 * S),
        (AUDIO, 1, 1, 1),
    ]
    assert cut(ask(small, "shared-objects"), "object_id", "flows", "uses", "bytes", "bytes_saved") == [
        ("video/0", 2, 3, 1_000, 1_000),
        ("video/1", 2, 2, 1_000, 1_000),
    ]
    assert cut(ask(small, "unreferenced-objects"), "object_id", "state", "due", "instances", "bytes") == [
        ("video/5", "media", True, 1, 1_000),
        ("later", "allocated", False, 1, None),
    ]
    assert cut(ask(small, "stopped-ingests"), "flow_id", "since") == [(PROXY, at(NOW - HOUR))]
    assert ask(small, "stopped-ingests", minutes=61) == []
    assert cut(ask(small, "hours-by-format"), "codec", "profile_id", "flows", "segments", "duration_ns") == [
        ("video/h264", PROFILE, 1, 9, 18 * S),
        ("video/h264", None, 1, 3, 6 * S),
        ("audio/aac", None, 1, 2, 2 * S - 1),
        (None, None, 1, 0, 0),
    ]
    assert cut(ask(small, "retention"), "flow_id", "rule", "segments", "bytes", "problem") == [
        (VIDEO, "segment_retention_offset", 9, 9_000, None),
        (PROXY, "flow_retention_offset", 3, 2_000, None),
        (EMPTY, "loop_recorder_duration", 0, 0, "the value is not a duration"),
    ]
    assert cut(ask(small, "retention", days=1), "flow_id", "segments") == [(VIDEO, 9), (PROXY, 0), (EMPTY, 0)]
    assert cut(ask(small, "single-copies"), "storage_id", "objects", "bytes", "objects_without_size") == [
        (HOT, 8, 8_000, 0),
        (COLD, 2, 2**62, 1),
    ]
    assert cut(ask(small, "webhooks-behind"), "webhook_id", "host", "waiting", "oldest", "failing_since") == [
        (HOOK, "hooks.example:8443", 3, at(NOW - 90 * SECOND), None),
        (FAILING, "failing.example", 0, None, at(NOW - HOUR)),
    ]
    _views_have_their_columns(small)
    _rows_of_others_are_not_seen(small)


def _views_have_their_columns(small: Place) -> None:
    counts = {}
    for view in VIEWS.values():
        rows = ask_sql(small, f"SELECT * FROM {view.name}")
        assert list(rows[0]) == list(view.columns)
        counts[view.name] = len(rows)
    assert counts == {
        "sources": 2,
        "flows": 4,
        "tags": 5,
        "segments": 14,
        "segment_tags": 3,
        "objects": 13,
        "instances": 15,
        "object_references": 13,
        "usage": 5,
        "gaps": 2,
        "webhooks": 3,
    }


def _rows_of_others_are_not_seen(small: Place) -> None:
    """A caller who sees PROXY alone sees its objects, but not which other flow has them."""
    visible = {"flows": [PROXY], "sources": [CAMERA], "backends": [HOT, COLD], "webhooks": [HOOK]}
    counts = {name: len(ask_sql(small, f"SELECT * FROM {name}", visible)) for name in VIEWS}
    assert counts == {
        "sources": 1,
        "flows": 1,
        "tags": 1,
        "segments": 3,
        "segment_tags": 1,
        "objects": 2,
        "instances": 3,
        "object_references": 2,
        "usage": 2,
        "gaps": 0,
        "webhooks": 1,
    }
    assert {row["flow_id"] for row in ask_sql(small, "SELECT flow_id FROM objects", visible)} == {None}
    assert cut(ask(small, "usage-by-source", visible), "source_id", "objects") == [(CAMERA, 2)]
    hot = {**visible, "backends": [HOT]}
    assert ask_sql(small, "SELECT DISTINCT storage_id FROM instances", hot) == [{"storage_id": HOT}]
    assert ask_sql(small, "SELECT storage_id, objects FROM usage", hot) == [{"storage_id": HOT, "objects": 2}]
    nothing: dict[str, list[str]] = {"flows": [], "sources": [], "backends": [], "webhooks": []}
    assert all(ask_sql(small, f"SELECT * FROM {name}", nothing) == [] for name in VIEWS)
    assert len(ask_sql(small, "SELECT * FROM webhooks", {"webhooks": [HOOK]})) == 1
    assert len(ask_sql(small, "SELECT * FROM segments", {"webhooks": [HOOK]})) == 14


def test_what_a_deleted_flow_keeps_stored_counts_without_its_id(small: Place, engine: Engine) -> None:
    with engine.write() as writer:
        tx: Any = writer  # The rows are not typed.
        row = tx.get("flows", id=VIDEO)
        tx.delete("flows", equals(id=VIDEO))
        kept = {**row, "deleted": NOW, "expires": NOW + HOUR, "deleted_by": "a client", "subject": {}}
        tx.insert("deleted_flows", [kept])
    for name, view in VIEWS.items():
        if "flow_id" in view.columns:
            assert VIDEO not in {found["flow_id"] for found in ask_sql(small, f"SELECT flow_id FROM {name}")}, name
    assert len(ask_sql(small, "SELECT * FROM objects")) == 13
    assert len(ask_sql(small, "SELECT * FROM instances")) == 15


def test_an_empty_catalogue_has_answers(engine: Engine, engine_url: str) -> None:
    assert {name: ask(place(engine_url), name) for name in QUESTIONS} == {name: [] for name in QUESTIONS}
