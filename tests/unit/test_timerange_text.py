"""The text forms of timestamps and timeranges: their meaning, instant by instant, and which texts are rejected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import Invalid
from storage.timerange import (
    EARLIEST,
    EMPTY,
    ETERNITY,
    LATEST,
    NS,
    TimeRange,
    format_timestamp,
    parse_storable_timestamp,
    parse_timerange,
    parse_timestamp,
)
from tests.unit.instants import ANY_NS, NEAR, instant, ranges


def around(*bounds: int | None) -> list[int]:
    """Instants at and next to the bounds, and some others."""
    return sorted({ns + step for ns in bounds if ns is not None for step in (-1, 0, 1)} | set(range(-5, 6)))


# -- Timestamps


@pytest.mark.behaviour("TR-01", "TR-02")
@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0:0", 0),
        ("0:1", 1),
        ("1:0", NS),
        ("1:500000000", NS + NS // 2),
        ("-1:500000000", -NS - NS // 2),
        ("-0:800000000", -800_000_000),
        ("-0:1", -1),
        ("-0:0", 0),
        ("0:999999999", NS - 1),
        ("9007199:254740993", 2**53 + 1),
        ("281474976710655:999999999", (2**48 - 1) * NS + NS - 1),
    ],
)
def test_a_timestamp_is_parsed_exactly(text: str, ns: int) -> None:
    assert parse_timestamp(text) == ns


@pytest.mark.behaviour("TR-01", "TR-16")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        ":",
        "1:",
        ":1",
        "00:0",
        "01:0",
        "0:007",
        "0:00",
        "+1:0",
        "1:+0",
        "1:-1",
        "--1:0",
        "- 1:0",
        "0:1000000000",
        "1.5:0",
        "1:0.5",
        "1:0 ",
        " 1:0",
        "1:0\n",
        "a:0",
        "1:0:0",
        "١:0",
        "1:１",
        "[1:0]",
        "−1:0",
    ],
)
def test_a_malformed_timestamp_is_rejected(text: str) -> None:
    with pytest.raises(Invalid) as error:
        parse_timestamp(text, "ts_offset")
    assert error.value.field == "ts_offset"
    assert "ts_offset" in error.value.message


@pytest.mark.behaviour("TR-01", "TR-02", "TR-14")
@given(ANY_NS)
def test_a_timestamp_round_trips_through_its_text(ns: int) -> None:
    text = format_timestamp(ns)
    assert parse_timestamp(text) == ns
    assert text.startswith("-") == (ns < 0)


@pytest.mark.behaviour("TR-14")
def test_the_digits_of_a_timestamp_are_limited_to_thousands() -> None:
    digits = "9" * 4000
    assert parse_timestamp(f"{digits}:1") - parse_timestamp(f"{digits[:-1]}8:0") == NS + 1
    with pytest.raises(Invalid, match="digits"):
        parse_timestamp(f"1{'0' * 4000}:0")


@pytest.mark.behaviour("TR-14")
@pytest.mark.parametrize("ns", [EARLIEST + 1, -1, 0, LATEST - 1])
def test_a_timestamp_that_fits_the_tables_is_storable(ns: int) -> None:
    assert parse_storable_timestamp(format_timestamp(ns), "ts_offset") == ns


@pytest.mark.behaviour("TR-14")
@pytest.mark.parametrize("ns", [EARLIEST, LATEST, 2**64, -(10**40)])
def test_a_timestamp_that_does_not_fit_the_tables_is_rejected(ns: int) -> None:
    with pytest.raises(Invalid) as error:
        parse_storable_timestamp(format_timestamp(ns), "ts_offset")
    assert error.value.field == "ts_offset"


# -- The meaning of a text


@pytest.mark.behaviour("TR-03", "TR-08", "TR-09", "TR-10", "TR-11", "TR-12", "TR-13", "TR-15", "A05")
@given(
    start=st.none() | NEAR,
    end=st.none() | NEAR,
    opening=st.sampled_from(["[", "(", ""]),
    closing=st.sampled_from(["]", ")", ""]),
)
def test_a_text_means_the_instants_between_its_bounds(
    start: int | None, end: int | None, opening: str, closing: str
) -> None:
    first = "" if start is None else format_timestamp(start)
    last = "" if end is None else format_timestamp(end)
    parsed = parse_timerange(f"{opening}{first}_{last}{closing}")
    for ns in around(start, end):
        after_start = start is None or (ns > start if opening == "(" else ns >= start)
        before_end = end is None or (ns < end if closing == ")" else ns <= end)
        assert parsed.covers(instant(ns)) == (after_start and before_end), ns


@pytest.mark.behaviour("TR-04", "TR-05", "TR-06", "TR-07", "TR-08", "TR-09", "TR-11", "TR-12", "TR-13")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("_", ETERNITY),
        ("(_)", ETERNITY),
        ("[_]", ETERNITY),
        ("[_)", ETERNITY),
        ("()", EMPTY),
        ("[10:0_0:0]", EMPTY),
        ("[5:0_5:0)", EMPTY),
        ("(5:0_5:0]", EMPTY),
        ("(5:0_5:0)", EMPTY),
        ("(5:0)", EMPTY),
        ("[5:0)", EMPTY),
        ("(5:0]", EMPTY),
        ("[5:0]", TimeRange(5 * NS, 5 * NS + 1)),
        ("5:0", TimeRange(5 * NS, 5 * NS + 1)),
        ("[5:0_5:0]", TimeRange(5 * NS, 5 * NS + 1)),
        ("-0:1", TimeRange(-1, 0)),
        ("_10:0)", TimeRange(None, 10 * NS)),
        ("[_10:0)", TimeRange(None, 10 * NS)),
        ("_10:0]", TimeRange(None, 10 * NS + 1)),
        ("[5:0_", TimeRange(5 * NS, None)),
        ("(5:0_", TimeRange(5 * NS + 1, None)),
        ("[5:0_)", TimeRange(5 * NS, None)),
        ("[-10:0_-5:0)", TimeRange(-10 * NS, -5 * NS)),
        ("[0:0_0:1)", TimeRange(0, 1)),
    ],
)
def test_a_text_is_parsed(text: str, expected: TimeRange) -> None:
    assert parse_timerange(text) == expected


@pytest.mark.behaviour("TR-01", "TR-16", "A05")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "]",
        "(",
        ")",
        "[]",
        "(]",
        "[)",
        ")(",
        "[5:0",
        "5:0]",
        "(5:0",
        "5:0)",
        "__",
        "_ ",
        " _",
        "0:0 _1:0",
        "[0:0_1:0_2:0)",
        "[0:0,1:0)",
        "[0:0-1:0)",
        "[a_b)",
        "eternity",
        "[[0:0_1:0)",
        "[0:0_1:0))",
        "]0:0_1:0[",
        "[0_1)",
        "[00:0_1:0)",
        "[0:0_1:1000000000)",
        "[+1:0_2:0)",
        "[0:0_1:0)\n",
        "\n_",
        "_\n",
        "()\n",
        "( )",
        "[0:0__1:0)",
        "-_",
        "[-_-)",
        "[0:0_-)",
    ],
)
def test_a_malformed_text_is_rejected(text: str) -> None:
    with pytest.raises(Invalid) as error:
        parse_timerange(text, "object_timerange")
    assert error.value.field == "object_timerange"
    assert "object_timerange" in error.value.message


@pytest.mark.behaviour("TR-16")
@given(st.text(alphabet="[]()_:-019 ", max_size=14))
def test_a_text_is_either_rejected_or_has_a_normal_form(text: str) -> None:
    try:
        parsed = parse_timerange(text)
    except Invalid:
        return
    assert parse_timerange(str(parsed)) == parsed


# -- The normal form


@pytest.mark.behaviour("TR-17", "TR-14")
@given(ranges(ANY_NS) | ranges())
def test_a_range_round_trips_through_its_text(timerange: TimeRange) -> None:
    text = str(timerange)
    assert parse_timerange(text) == timerange
    assert str(parse_timerange(text)) == text


@pytest.mark.behaviour("TR-06", "TR-17")
@pytest.mark.parametrize(
    ("given_text", "normal"),
    [
        ("[0:0_10:0)", "[0:0_10:0)"),
        ("[0:0_10:0]", "[0:0_10:0]"),
        ("0:0_10:0", "[0:0_10:0]"),
        ("(0:0_10:0)", "[0:1_10:0)"),
        ("[5:0_5:0]", "[5:0]"),
        ("5:0", "[5:0]"),
        ("[5:0_3:0)", "()"),
        ("(5:0)", "()"),
        ("()", "()"),
        ("(_)", "_"),
        ("[5:0_)", "[5:0_"),
        ("(_5:0)", "_5:0)"),
        ("[_5:0]", "_5:0]"),
        ("[-1:500000000_-0:800000000)", "[-1:500000000_-0:800000000)"),
        ("[-0:0_1:0)", "[0:0_1:0)"),
    ],
)
def test_the_text_of_a_range_is_its_normal_form(given_text: str, normal: str) -> None:
    assert str(parse_timerange(given_text)) == normal
