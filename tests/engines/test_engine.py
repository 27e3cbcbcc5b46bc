"""What the catalogue relies on in every engine: conditions, order, paging by key, and transactions."""

from typing import Any

import orjson
import pytest

from storage.errors import Conflict
from storage.tables.conditions import Compare, Condition, Exists, In, Overlaps, equals
from storage.tables.engine import Engine

Rows = list[dict[str, Any]]


def _segments(flow_id: str, starts: range, length: int = 10) -> Rows:
    common = {"flow_id": flow_id, "timerange": "_", "created": 0, "doc": {}}
    return [{**common, "start_ns": n, "end_ns": n + length, "object_id": f"{flow_id}{n}"} for n in starts]


def _source(id_: str, created: int, label: str = "") -> dict[str, Any]:
    plain = {"format": "f", "unlabelled": not label, "updated": created, "doc": {"id": id_}}
    return {"id": id_, "created": created, "label": label, **plain}


def _object(id_: str, state: str) -> dict[str, Any]:
    return {"id": id_, "state": state, "flow_id": "f", "created": 1}


def _insert(engine: Engine, table: str, rows: Rows) -> None:
    with engine.write() as tx:
        tx.insert(table, rows)


def _ids(engine: Engine, where: list[Condition], **options: Any) -> list[str]:
    with engine.read() as tx:
        return [row["id"] for row in tx.select("sources", where, order=("created", "id"), **options)]


def test_rows_are_read_as_they_were_written(engine: Engine) -> None:
    document = {"text": "é\u2028😀", "list": [1, None, {"deep": True}], "big": 2**62}
    row = _segments("f", range(-(2**63), 1 - 2**63))[0] | {"init_object_id": None, "timerange": "", "doc": document}
    _insert(engine, "segments", [row])
    with engine.read() as tx:
        assert tx.get("segments", flow_id="f", start_ns=-(2**63)) == row
        assert tx.get("segments", flow_id="f", start_ns=0) is None


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Compare("created", "==", 2), ["b", "c"]),
        (Compare("created", "!=", 2), ["a", "d"]),
        (Compare("created", "<", 2), ["a"]),
        (Compare("created", "<=", 2), ["a", "b", "c"]),
        (Compare("created", ">", 2), ["d"]),
        (Compare("created", ">=", 2), ["b", "c", "d"]),
        (In("id", ["d", "a", "nobody"]), ["a", "d"]),
        (In("id", []), []),
        (Compare("unlabelled", "==", True), ["a", "b", "c"]),
    ],
)
def test_conditions_choose_rows(engine: Engine, condition: Condition, expected: list[str]) -> None:
    _insert(engine, "sources", [_source("a", 1), _source("b", 2), _source("c", 2), _source("d", 3, "x")])
    assert _ids(engine, [condition]) == expected


def test_all_conditions_must_hold(engine: Engine) -> None:
    _insert(engine, "sources", [_source("a", 1), _source("b", 2), _source("c", 2)])
    assert _ids(engine, [*equals(created=2), In("id", ["a", "c"])]) == ["c"]


def test_rows_can_be_selected_by_the_existence_of_rows_in_another_table(engine: Engine) -> None:
    _insert(engine, "sources", [_source("a", 1), _source("b", 2), _source("c", 3)])
    tag = {"kind": "source", "name": "n", "empty": False}
    _insert(engine, "tags", [{**tag, "owner_id": "a", "value": "x"}, {**tag, "owner_id": "b", "value": "y"}])
    tagged = Exists("tags", "owner_id", "id", (*equals(kind="source", name="n"), In("value", ["x", "z"])))
    untagged = Exists("tags", "owner_id", "id", equals(kind="source", name="n"), present=False)
    assert (_ids(engine, [tagged]), _ids(engine, [untagged])) == (["a"], ["c"])


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 1, [0]),
        (9, 10, [0]),
        (10, 20, []),
        (19, 21, [20]),
        (5, 45, [0, 20, 40]),
        (-100, 0, []),
        (1000, 2000, []),
        (-(2**63), 2**63 - 1, [0, 20, 40, 60]),
    ],
)
def test_overlap_with_half_open_spans(engine: Engine, start: int, end: int, expected: list[int]) -> None:
    _insert(engine, "segments", _segments("f", range(0, 80, 20)) + _segments("other", range(0, 80, 10)))
    where = [*equals(flow_id="f"), Overlaps(start, end)]
    with engine.read() as tx:
        rows = tx.select("segments", where, order=("start_ns",))
        backwards = tx.select("segments", where, order=("start_ns",), descending=True)
    assert [row["start_ns"] for row in rows] == expected
    assert [row["start_ns"] for row in backwards] == expected[::-1]


def test_overlap_can_be_a_condition_inside_existence(engine: Engine) -> None:
    _insert(engine, "sources", [_source("f", 1), _source("g", 2), _source("h", 3)])
    _insert(engine, "segments", _segments("f", range(0, 30, 10)) + _segments("g", range(50, 60, 10)))
    has_content = Exists("segments", "flow_id", "id", (Overlaps(25, 50),))
    assert _ids(engine, [has_content]) == ["f"]
    assert _ids(engine, [Exists("segments", "flow_id", "id", present=False)]) == ["h"]


def test_overlap_inside_existence_is_evaluated_for_each_owner_separately(engine: Engine) -> None:
    """The first segment to end after the start of the window is found for each flow, not once among all flows."""
    _insert(engine, "sources", [_source("long", 1), _source("short", 2), _source("before", 3), _source("after", 4)])
    segments = [("long", 0, 100), ("short", 90, 95), ("before", 0, 92), ("after", 93, 94)]
    _insert(
        engine, "segments", [_segments(flow, range(start, start + 1), end - start)[0] for flow, start, end in segments]
    )
    meets = Exists("segments", "flow_id", "id", (Overlaps(92, 93),))
    misses = Exists("segments", "flow_id", "id", (Overlaps(92, 93),), present=False)
    assert (_ids(engine, [meets]), _ids(engine, [misses])) == (["long", "short"], ["before", "after"])


@pytest.mark.parametrize("descending", [False, True])
def test_paging_by_key_returns_each_row_once_despite_ties(engine: Engine, descending: bool) -> None:
    _insert(engine, "sources", [_source(f"{n:02}", n // 4) for n in range(22)])
    seen: list[str] = []
    after: list[Any] | None = None
    with engine.read() as tx:
        while True:
            page = tx.select(
                "sources",
                order=("created", "id"),
                descending=descending,
                after=after,
                limit=5,
                columns=["id", "created"],
            )
            seen += [row["id"] for row in page]
            if len(page) < 5:
                break
            after = [page[-1]["created"], page[-1]["id"]]
    assert seen == sorted((f"{n:02}" for n in range(22)), reverse=descending)


def test_a_failed_transaction_is_rolled_back(engine: Engine) -> None:
    with pytest.raises(RuntimeError), engine.write() as tx:
        tx.insert("sources", [_source("a", 1)])
        assert tx.get("sources", id="a")
        raise RuntimeError
    assert _ids(engine, []) == []


def test_a_key_cannot_be_inserted_twice(engine: Engine) -> None:
    _insert(engine, "sources", [_source("a", 1)])
    with pytest.raises(Conflict), engine.write() as tx:
        tx.insert("sources", [_source("b", 1)])
        tx.insert("sources", [_source("a", 2)])
    assert _ids(engine, []) == ["a"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_update_rows_sets_columns_of_each_row_by_its_key(engine: Engine, count: int) -> None:
    rows = [_object(f"o{n}", "allocated") for n in range(4)]
    _insert(engine, "objects", rows)
    changes = [{"id": f"o{n}", "state": "media", "start_ns": n, "timerange": None if n else "_"} for n in range(count)]
    with engine.write() as tx:
        tx.lock("flow:f")
        assert tx.update_rows("objects", changes) == count
        if count:
            assert tx.update_rows("objects", [*changes[:-1], {**changes[-1], "id": "none"}]) == count - 1
    with engine.read() as tx:
        found = tx.select("objects", order=("id",), columns=["id", "state", "flow_id", "start_ns", "timerange"])
    expected = {row["id"]: {**row, "start_ns": None, "timerange": None} for row in rows}
    for change in changes:
        expected[change["id"]] |= change
    columns = ("id", "state", "flow_id", "start_ns", "timerange")
    assert found == [{name: expected[f"o{n}"][name] for name in columns} for n in range(4)]


def test_update_rows_replaces_documents(engine: Engine) -> None:
    _insert(engine, "sources", [_source(id_, 1) for id_ in "abc"])
    with engine.write() as tx:
        tx.lock("source:a", "source:b")
        assert tx.update_rows("sources", [{"id": id_, "doc": {"new": [id_, None]}} for id_ in "ab"]) == 2
    with engine.read() as tx:
        docs = [row["doc"] for row in tx.select("sources", order=("id",))]
    assert docs == [{"new": ["a", None]}, {"new": ["b", None]}, {"id": "c"}]


def test_update_and_delete_return_the_number_of_rows(engine: Engine) -> None:
    _insert(engine, "sources", [_source("a", 1), _source("b", 1), _source("c", 2)])
    with engine.write() as tx:
        assert tx.update("sources", equals(created=1), {"label": "x", "doc": {"new": 1}}) == 2
        assert tx.delete("sources", [Compare("created", ">", 1)]) == 1
        assert tx.delete("sources", equals(id="nobody")) == 0
    with engine.read() as tx:
        assert [(row["id"], row["label"], row["doc"]) for row in tx.select("sources", order=("id",))] == [
            ("a", "x", {"new": 1}),
            ("b", "x", {"new": 1}),
        ]


def test_readers_do_not_see_uncommitted_changes(engine: Engine) -> None:
    with engine.write() as tx:
        tx.insert("sources", [_source("a", 1)])
        assert _ids(engine, []) == []
    assert _ids(engine, []) == ["a"]


def test_text_sorts_by_code_point(engine: Engine) -> None:
    labels = ["", " ", "-", "10", "9", "B", "Z", "_", "a", "b", "ab", "é", "e\u0301", "\ufffd", "😀", "ß", "ss", "İ"]
    _insert(engine, "sources", [_source(f"{n:02}", 0, label) for n, label in enumerate(labels)])
    with engine.read() as tx:
        rows = tx.select("sources", order=("label",), columns=["label"])
        after = tx.select("sources", [Compare("label", ">", "Z")], order=("label",), columns=["label"])
    assert [row["label"] for row in rows] == sorted(labels)
    assert [row["label"] for row in after] == sorted(label for label in labels if label > "Z")


@pytest.mark.parametrize("count", [1, 3])
def test_documents_are_read_byte_for_byte_as_written(engine: Engine, count: int) -> None:
    text = b'{"z":1,"a":1.0,"1":1e+100,"nested":{"b":[0.1,-0.0,9007199254740993],"a":null},"u":"\\u001f\xc3\xa9","":""}'
    assert orjson.dumps(orjson.loads(text)) == text
    _insert(engine, "sources", [_source(f"{n}", n) | {"doc": orjson.loads(text)} for n in range(count)])
    with engine.read() as tx:
        assert [orjson.dumps(row["doc"]) for row in tx.select("sources")] == [text] * count


@pytest.mark.parametrize("value", ["text", 1, 1.5, True, [], [[1]], {}, "{}", "NaN"])
def test_any_json_value_can_be_stored(engine: Engine, value: Any) -> None:
    _insert(engine, "service", [{"key": "one", "value": value}])
    _insert(engine, "service", [{"key": "two", "value": value}, {"key": "three", "value": value}])
    with engine.write() as tx:
        tx.update("service", equals(key="two"), {"value": [value]})
    with engine.read() as tx:
        assert {row["key"]: row["value"] for row in tx.select("service")} == {
            "one": value,
            "two": [value],
            "three": value,
        }


def test_thousands_of_rows_and_values_fit_one_transaction(engine: Engine) -> None:
    rows = [{"id": f"o{n}", "state": "media", "created": n, "expires": None if n % 2 else n} for n in range(20_000)]
    _insert(engine, "objects", rows)
    with engine.write() as tx:
        odd = [f"o{n}" for n in range(1, 20_000, 2)]
        assert tx.update("objects", [In("id", odd)], {"flow_id": "f"}) == 10_000
        assert len(tx.select("objects", [In("id", [row["id"] for row in rows])])) == 20_000
        assert {row["expires"] for row in tx.select("objects", equals(flow_id="f"))} == {None}
        assert tx.delete("objects", [In("created", list(range(0, 20_000, 2)))]) == 10_000


def test_a_comparison_never_holds_for_a_null(engine: Engine) -> None:
    plain = {"state": "s", "created": 0}
    _insert(engine, "objects", [{**plain, "id": "a"}, {**plain, "id": "b", "expires": 5}])
    with engine.read() as tx:
        for where in (Compare("expires", "!=", 4), Compare("expires", ">", 0), In("expires", [5, 6])):
            assert [row["id"] for row in tx.select("objects", [where])] == ["b"]
        assert tx.select("objects", [Compare("flow_id", "!=", "f")]) == []


def test_a_reader_sees_one_moment(engine: Engine) -> None:
    """An engine without snapshots may see a later transaction, but never half of one."""
    _insert(engine, "sources", [_source("a", 1)])
    with engine.read() as tx:
        before = len(tx.select("sources"))
        _insert(engine, "sources", [_source("b", 1), _source("c", 1)])
        assert (before, len(tx.select("sources"))) in ((1, 1), (1, 3))
