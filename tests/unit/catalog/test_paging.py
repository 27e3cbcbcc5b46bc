"""Page keys: short whatever is stored, and neither skipping nor repeating items."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from storage.catalog.paging import KEY_BYTES, Order, PageRequest, _checksum, select_page, slice_page
from storage.errors import Invalid
from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.tables.engine import Engine

ORDER = Order(("unlabelled", "label", "id"))
LABELS = [
    "",
    "a",
    "x" * 90,
    "x" * 200,
    "x" * 200 + "a",
    "x" * 200 + "b",
    '"' * 300,
    "\x01" * 100,
    "é" * 200,
    "日本" * 300,
]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/catalog.db")
    engine.create()
    with engine.write() as tx:
        for number, label in enumerate(LABELS):
            tx.insert("sources", [source(number, label)])
    yield engine
    engine.close()


def source(number: int, label: str) -> Any:
    id_ = f"10000000-0000-4000-8000-{number:012}"
    return {"id": id_, "label": label, "unlabelled": False, "format": "f", "created": 1, "updated": 1, "doc": {}}


def page(engine: Engine, key: str | None, *, reverse: bool = False, size: int = 1) -> tuple[list[str], str | None]:
    with engine.read() as tx:
        rows, next_key = select_page(tx, "sources", (), ORDER, PageRequest(key=key, reverse=reverse), size)
    assert next_key is None or len(next_key) <= KEY_BYTES
    return [row["label"] for row in rows], next_key


def walk(engine: Engine, key: str | None, *, reverse: bool = False) -> list[str]:
    labels: list[str] = []
    while True:
        found, key = page(engine, key, reverse=reverse)
        labels += found
        if key is None:
            return labels


@pytest.mark.parametrize("reverse", [False, True])
def test_page_keys_are_short_whatever_is_stored(engine: Engine, reverse: bool) -> None:
    assert walk(engine, None, reverse=reverse) == sorted(LABELS, reverse=reverse)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("change", ["delete", "update"])
def test_nothing_is_skipped_if_the_last_item_of_a_long_label_is_changed(
    engine: Engine, change: str, reverse: bool
) -> None:
    expected = sorted(LABELS, reverse=reverse)
    for position in range(1, len(LABELS)):
        labels, key = page(engine, None, reverse=reverse, size=position)
        last = source(LABELS.index(labels[-1]), labels[-1])
        with engine.write() as tx:
            tx.delete("sources", equals(id=last["id"]))
            if change == "update":
                tx.insert("sources", [source(LABELS.index(labels[-1]), "changed")])
        rest = walk(engine, key, reverse=reverse)
        assert set(expected[position:]) <= set(rest)
        with engine.write() as tx:
            tx.delete("sources", equals(id=last["id"]))
            tx.insert("sources", [last])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"1",
        b"null",
        b"[]",
        b"[[]]",
        b"{}",
        b'[false,"a"]',
        b'[0,"a","b"]',
        b'[false,1,"b"]',
        b'[false,"a",null]',
        b'[false,"\\u0000","b"]',
        b'[[false,"a","b"],1]',
        b'[[false,"a"],"digest"]',
        b'[[false,"a","b"],"digest","more"]',
        b'["\\ud800"]',
    ],
)
def test_page_keys_of_others_are_rejected(engine: Engine, content: bytes) -> None:
    listing = "sources unlabelled label id False"
    key = base64.urlsafe_b64encode(_checksum(content, listing) + content).decode().rstrip("=")
    with pytest.raises(Invalid, match="page key"):
        page(engine, key)
    with pytest.raises(Invalid, match="page key"):
        slice_page([{"id": "a"}, {"id": "b"}], listing, PageRequest(key=key), 1)


def test_integers_beyond_64_bits_are_rejected(engine: Engine) -> None:
    content = orjson.dumps([2**63, "a"])
    key = base64.urlsafe_b64encode(_checksum(content, "sources created id True") + content).decode().rstrip("=")
    with engine.read() as tx, pytest.raises(Invalid, match="page key"):
        select_page(tx, "sources", (), Order(("created", "id"), descending=True), PageRequest(key=key), 1)


@pytest.mark.parametrize(
    ("table", "columns", "where", "content"),
    [
        ("sources", ("id",), equals(id="a"), [[], "digest"]),
        ("sources", ("created", "id"), (), [[1, "a"], "digest"]),
        ("segments", ("start_ns",), equals(flow_id="f"), [[5], "digest"]),
        ("object_refs", ("object_id", "flow_id"), equals(object_id="o"), [["f"], "digest"]),
    ],
)
def test_keys_with_texts_that_are_never_cut_are_rejected(
    engine: Engine, table: str, columns: tuple[str, ...], where: Any, content: Any
) -> None:
    text = orjson.dumps(content)
    listing = f"{table} {' '.join(columns)} False"
    key = base64.urlsafe_b64encode(_checksum(text, listing) + text).decode().rstrip("=")
    with engine.read() as tx, pytest.raises(Invalid, match="page key"):
        select_page(tx, table, where, Order(columns), PageRequest(key=key), 1)


@pytest.mark.parametrize("key", ["", "é", "a" * 10_000, "====", "AAAA", "\0"])
def test_texts_that_are_not_keys_are_rejected(engine: Engine, key: str) -> None:
    with pytest.raises(Invalid, match="page key"):
        page(engine, key)
