"""Long lists are parsed in parts: the result and the errors are those of the whole list, at a lower cost."""

import json
import random
import tracemalloc
from typing import Any

import pytest

from storage.catalog import Limits
from storage.errors import Invalid
from tams_server.app import read_specification
from tams_server.errors import TooLarge
from tams_server.http.json_documents import DOCUMENT
from tams_server.http.json_lists import PART_BYTES, is_long_list, parse_list
from tams_server.settings import Settings
from tams_server.specification.operations import Operation
from tests.conformance.kit.documents import VIDEO, flow


@pytest.fixture(scope="module")
def operation() -> Operation:
    [found] = [each for each in read_specification(Settings()).operations if each.id == "POST_flows-flowId-segments"]
    return found


def segment(number: int, **members: Any) -> dict[str, Any]:
    url = {"label": '}, {"object_id"', "url": f"https://example.com/{number}?{'x' * 150}"}
    return {"object_id": f"an-object-{number}", "timerange": f"[{number}:0_{number + 1}:0)", "get_urls": [url] * 2} | (
        members
    )


def segments(count: int = 3000) -> list[dict[str, Any]]:
    return [segment(number) for number in range(count)]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("before", ["", "\ufeff", " \n"])
def test_the_items_are_those_of_the_whole_list(operation: Operation, indent: int | None, before: str) -> None:
    items = segments()
    random_ = random.Random(1)
    shuffled = [dict(random_.sample(list(item.items()), len(item))) for item in items]
    raw = (before + json.dumps(shuffled, indent=indent)).encode() + b"\n "
    assert is_long_list(raw)
    assert parse_list(operation, raw) == items


def test_members_that_are_not_stored_are_dropped(operation: Operation) -> None:
    raw = json.dumps([{"zzz": [{"a": 1}, {"b": 2}], **segment(number)} for number in range(3000)]).encode()
    assert parse_list(operation, bytearray(raw)) == segments()


def test_a_list_with_too_many_items_is_not_parsed_to_its_end() -> None:
    """F5: a broken end is not even seen."""
    by_id = {operation.id: operation for operation in read_specification(Settings()).operations}
    for name, item in (("flows", flow(description="x" * 500)), ("sources", {"format": VIDEO, "label": "x" * 500})):
        operation = by_id[f"POST_{name}"]
        assert operation.body is not None
        assert operation.body.most_items == Limits().batch_max
        raw = b"[" + b",".join([json.dumps(item).encode()] * (Limits().batch_max + 1000)) + b"}"
        with pytest.raises(Invalid, match="at most 1000 items"):
            parse_list(operation, raw)


@pytest.mark.parametrize("number", [0, 700, 2999])
def test_the_first_invalid_item_is_named(operation: Operation, number: int) -> None:
    items = segments()
    items[number]["timerange"] = 5
    with pytest.raises(Invalid, match=f"^{number}.timerange: 5 must be of type string") as caught:
        parse_list(operation, json.dumps(items).encode())
    assert caught.value.field == f"{number}.timerange"
    items[number] = segment(number, key_frame_count=2**80)
    with pytest.raises(Invalid, match=f"^{number}.key_frame_count: .* is outside the range"):
        parse_list(operation, json.dumps(items).encode())


@pytest.mark.parametrize("end", [b"", b"]]", b"]x", b',{"object_id"]', b"],[{}]"])
def test_invalid_json_is_reported_with_its_place(operation: Operation, end: bytes) -> None:
    raw = json.dumps(segments()).encode()[:-1] + end
    with pytest.raises(Invalid, match=r"not valid JSON: .*line 1 column") as caught:
        parse_list(operation, raw)
    column = int(str(caught.value).rpartition(" ")[2].rstrip(")"))
    assert column > len(raw) - 30


def test_an_item_is_no_longer_than_a_document(operation: Operation) -> None:
    longest = segment(0, zzz="x" * (DOCUMENT.max_bytes - PART_BYTES))
    assert parse_list(operation, json.dumps([longest, segment(1)]).encode()) == segments(2)
    too_long = segment(0, zzz="x" * DOCUMENT.max_bytes)
    with pytest.raises(TooLarge, match="a list of objects with at most"):
        parse_list(operation, json.dumps([segment(1), too_long, segment(2)]).encode())


def test_lists_of_other_things_are_rejected(operation: Operation) -> None:
    with pytest.raises(Invalid, match=r"^0: 1 must be of type object"):
        parse_list(operation, b"[" + b",".join([b"1"] * PART_BYTES) + b"]")
    with pytest.raises(Invalid, match=r"^0: \[\] must be of type object"):
        parse_list(operation, b"[" + b",".join([b"[]"] * PART_BYTES) + b"]")


@pytest.mark.parametrize("late", [False, True])
def test_a_list_that_is_rejected_takes_little_memory(operation: Operation, late: bool) -> None:
    """One emoji makes Python keep a text with four bytes a character."""
    items = [segment(number, zzz="x" * 100_000 + "\U0001f600") for number in range(150)]
    items[149 if late else 3]["timerange"] = 5
    raw = json.dumps(items, ensure_ascii=False).encode()
    tracemalloc.start()
    with pytest.raises(Invalid):
        parse_list(operation, raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20  # 60 MiB if it is parsed as a whole
