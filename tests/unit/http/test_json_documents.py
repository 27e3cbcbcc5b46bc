"""JSON documents: bounded in bytes and parts, and read in a time that is linear in them."""

import time
from collections.abc import Callable

import pytest

from storage.errors import Invalid
from tams_server.errors import TooLarge
from tams_server.http.json_documents import BULK, DOCUMENT, parse_json

LONG = "n" * 40_000


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b" " * (DOCUMENT.max_bytes + 1), "bytes"),
        (b"[" + b"," * 600_001, "items and members"),
        (b'{"a"' + b":" * 100_001, "members"),
        (b"[{" * 50_001, "lists and objects"),
    ],
)
def test_a_document_with_too_many_parts_is_too_large(raw: bytes, words: str) -> None:
    with pytest.raises(TooLarge, match=words):
        DOCUMENT.check(raw)


def test_a_large_list_of_documents_is_not_too_large() -> None:
    segment = b'{"object_id":"%s","timerange":"[0:0_1:0)","get_urls":[{"url":"https://x","label":"x"}]}' % (b"x" * 400)
    raw = b"[" + b",".join([segment] * 10_000) + b"]"
    BULK.check(raw)
    with pytest.raises(TooLarge):
        DOCUMENT.check(raw)


@pytest.mark.parametrize("make", [lambda: f'{{"{LONG}":[{"1.0," * 50_000}1.0]}}', lambda: f"[{'1.5,' * 200_000}1]"])
def test_numbers_are_converted_in_linear_time(make: Callable[[], str]) -> None:
    raw = make().encode()
    seconds = []
    for _ in range(3):
        started = time.process_time()
        parse_json(raw, frozenset())
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.5  # 20 to 60 ms; paths built for each number took a second


def test_the_path_of_a_number_is_cut() -> None:
    with pytest.raises(Invalid) as raised:
        parse_json(f'{{"{LONG}":[{"1," * 10_000}{2**63}]}}'.encode(), frozenset())
    assert raised.value.field == f"{'n' * 97}....10000"
    assert "64-bit" in raised.value.message


@pytest.mark.parametrize(
    ("raw", "field", "shown"),
    [
        (b'{"a":{"b":[1,1e300]}}', "a.b.1", "1e+300"),
        (b'[{"a":1},{"x":1e300,"a":9223372036854775808}]', "1.a", "9223372036854775808"),
        (b'{"a":{"api_key_value":{"secret":1e300}}}', "a.api_key_value", "the number"),
        (b"-1e300", None, "the body: -1e+300"),
        (b"[[1e300]]", "0.0", "1e+300"),
    ],
)
def test_numbers_out_of_range_are_named(raw: bytes, field: str | None, shown: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_json(raw, frozenset({"a"}))
    assert raised.value.field == field
    assert shown in raised.value.message
    assert "secret" not in raised.value.message


def test_nesting_is_limited() -> None:
    assert parse_json(b"[" * 65 + b"]" * 65, frozenset())
    with pytest.raises(Invalid, match="deep"):
        parse_json(b"[" * 66 + b"]" * 66, frozenset())
    with pytest.raises(Invalid, match="deep"):
        parse_json(b'{"a":' * 66 + b"1" + b"}" * 66, frozenset())
