"""The meaning of timeranges, wherever a client can send one."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.flow_states import read_flow
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.segments import normalised, post_segment, timeranges
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.timelines import CONTAINED, EMPTY, EXTENT, MALFORMED, OVERLAPPING, SEGMENTS, make_timeline

TEXTS = (
    "TR-02",
    "TR-03",
    "TR-04",
    "TR-06",
    "TR-07",
    "TR-08",
    "TR-09",
    "TR-13",
    "TR-14",
    "TR-15",
)
ACCEPTING = ["/flows", "/flows/{id}", "/flows/{id}/segments"]


@pytest.fixture(scope="module")
def full(http: httpx.Client) -> Iterator[Json]:
    """A flow with all of SEGMENTS, which no test changes."""
    with shared_client(http) as tams:
        yield make_timeline(tams)


@pytest.fixture(scope="module")
def bare(http: httpx.Client) -> Iterator[Json]:
    """A flow without any segment."""
    with shared_client(http) as tams:
        yield tams.make_flow()


def named(letters: str) -> list[str]:
    return [SEGMENTS[letter] for letter in letters]


# -- Listing segments


@pytest.mark.behaviour(*TEXTS, "SEG-GET-08")
@pytest.mark.parametrize(("text", "letters"), OVERLAPPING.items())
def test_segments_overlapping_a_timerange_are_listed(tams: TamsClient, full: Json, text: str, letters: str) -> None:
    assert timeranges(tams, full["id"], timerange=text) == named(letters)


@pytest.mark.behaviour("TR-05", "TR-11", "TR-12")
@pytest.mark.parametrize("text", EMPTY)
def test_no_segment_overlaps_an_empty_timerange(tams: TamsClient, full: Json, text: str) -> None:
    assert timeranges(tams, full["id"], timerange=text) == []


@pytest.mark.behaviour("TR-16")
@pytest.mark.parametrize("spelling", ["[0:0_1:0)", "%5B0:0_1:0%29", "%5B0%3A0%5F1%3A0%29", "[0%3A0_1:0%29"])
def test_brackets_may_be_percent_encoded(tams: TamsClient, full: Json, spelling: str) -> None:
    response = tams.request("GET", f"/flows/{full['id']}/segments?timerange={spelling}")
    assert [segment["timerange"] for segment in response.json()] == named("C")


# -- Finding flows


@pytest.mark.behaviour(*TEXTS, "FLOW-LIST-15")
@pytest.mark.parametrize(("text", "letters"), OVERLAPPING.items())
def test_a_flow_is_found_by_a_timerange_that_overlaps_its_content(
    tams: TamsClient, full: Json, text: str, letters: str
) -> None:
    found = tams.get("/flows", source_id=full["source_id"], timerange=text).json()
    assert [each["id"] for each in found] == ([full["id"]] if letters else [])


@pytest.mark.behaviour("TR-05", "TR-11", "TR-12", "FLOW-LIST-16")
@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_timerange_finds_empty_flows(tams: TamsClient, full: Json, bare: Json, text: str) -> None:
    assert tams.get("/flows", source_id=full["source_id"], timerange=text).json() == []
    found = tams.get("/flows", source_id=bare["source_id"], timerange=text).json()
    assert [each["id"] for each in found] == [bare["id"]]


# -- The timerange of a flow


@pytest.mark.behaviour(*TEXTS, "TR-17", "A20")
@pytest.mark.parametrize(("text", "letters"), OVERLAPPING.items())
def test_the_timerange_of_a_flow_is_limited_by_the_query(tams: TamsClient, full: Json, text: str, letters: str) -> None:
    shown = read_flow(tams, full["id"], include_timerange=True, timerange=text)["timerange"]
    if not letters:
        assert shown == "()"
    else:
        assert normalised(EXTENT).covers(normalised(shown))
        assert not normalised(shown).intersection(normalised(text)).is_empty


@pytest.mark.behaviour("TR-05", "TR-11", "TR-12", "TR-17")
@pytest.mark.parametrize("text", EMPTY)
def test_the_timerange_of_a_flow_within_an_empty_one_is_empty(tams: TamsClient, full: Json, text: str) -> None:
    assert read_flow(tams, full["id"], include_timerange=True, timerange=text)["timerange"] == "()"


@pytest.mark.behaviour("TR-17")
def test_an_empty_flow_has_an_empty_timerange(tams: TamsClient, bare: Json) -> None:
    assert read_flow(tams, bare["id"], include_timerange=True)["timerange"] == "()"


# -- Deleting segments


@pytest.mark.behaviour(*TEXTS, "SEG-DEL-02", "A13")
@pytest.mark.parametrize(("text", "letters"), CONTAINED.items())
def test_segments_within_a_timerange_are_deleted(tams: TamsClient, text: str, letters: str) -> None:
    id_ = make_timeline(tams)["id"]
    assert tams.delete(f"/flows/{id_}/segments", timerange=text).status_code in (202, 204)
    left = [each for letter, each in SEGMENTS.items() if letter not in letters]
    wait_until(lambda: timeranges(tams, id_) == left, f"only {left} to be left")


@pytest.mark.behaviour("TR-05", "TR-11", "TR-12")
@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_timerange_deletes_nothing(tams: TamsClient, full: Json, text: str) -> None:
    assert tams.delete(f"/flows/{full['id']}/segments", timerange=text).status_code in (202, 204)
    assert timeranges(tams, full["id"]) == named("ABCDE")


# -- Malformed timeranges


@pytest.mark.behaviour("TR-01", "TR-16", "FLOW-LIST-18")
@pytest.mark.parametrize("text", MALFORMED)
@pytest.mark.parametrize("path", ACCEPTING)
def test_a_malformed_timerange_is_rejected(tams: TamsClient, full: Json, path: str, text: str) -> None:
    assert tams.get(path.format(id=full["id"]), timerange=text).status_code == 400


@pytest.mark.behaviour("TR-01", "TR-16")
@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_timerange_deletes_nothing(tams: TamsClient, full: Json, text: str) -> None:
    assert tams.delete(f"/flows/{full['id']}/segments", timerange=text).status_code == 400
    assert timeranges(tams, full["id"]) == named("ABCDE")


@pytest.mark.behaviour("TR-01", "TR-16")
@pytest.mark.parametrize("text", MALFORMED)
def test_a_segment_with_a_malformed_timerange_is_rejected(tams: TamsClient, bare: Json, text: str) -> None:
    [object_id] = tams.make_objects(bare["id"], 1)
    assert post_segment(tams, bare["id"], object_id, text).status_code == 400
    assert timeranges(tams, bare["id"]) == []


# -- Registering segments


@pytest.mark.behaviour("TR-02", "TR-13", "SORT-09")
def test_the_sign_applies_to_the_whole_timestamp(tams: TamsClient) -> None:
    ordered = ["[-1:500000000_-1:0)", "[-1:0_-0:800000000)", "[-0:800000000_0:0)", "[0:0_0:200000000)"]
    id_ = make_timeline(tams, segments=reversed(ordered))["id"]
    assert timeranges(tams, id_) == ordered
    assert timeranges(tams, id_, timerange="[-0:900000000]") == ordered[1:2]


@pytest.mark.behaviour("TR-06", "TR-17")
@pytest.mark.parametrize("text", ["[5:0]", "[5:0_5:0]", "[5:0_6:0)", "[5:0_6:0]", "[-0:1_0:0)"])
def test_a_segment_shows_its_timerange(tams: TamsClient, text: str) -> None:
    [shown] = timeranges(tams, make_timeline(tams, segments=[text])["id"])
    assert shown.startswith("[")
    assert normalised(shown) == normalised(text)


@pytest.mark.behaviour("TR-14")
@pytest.mark.parametrize(
    "ordered",
    [
        ["[9007199:254740991_9007199:254740992)", "[9007199:254740992_9007199:254740993)", "[9007199:254740993]"],
        ["[1795370400:123456788]", "[1795370400:123456789]", "[1795370400:123456790]"],
        ["[-9007199:254740994_-9007199:254740993)", "[-9007199:254740993_-9007199:254740992)"],
    ],
    ids=["beyond-2^53-ns", "today", "before-zero"],
)
def test_instants_one_nanosecond_apart_are_distinct(tams: TamsClient, ordered: list[str]) -> None:
    id_ = make_timeline(tams, segments=reversed(ordered))["id"]
    assert timeranges(tams, id_) == ordered
    for each in ordered:
        assert timeranges(tams, id_, timerange=each) == [each]


@pytest.mark.behaviour("TR-14")
@pytest.mark.parametrize("text", ["[281474976710654:1_281474976710655:2)", "[-281474976710655:2_-281474976710654:1)"])
def test_a_48_bit_timestamp_is_kept_exactly_or_rejected(tams: TamsClient, text: str) -> None:
    id_ = tams.make_flow()["id"]
    [object_id] = tams.make_objects(id_, 1)
    status = post_segment(tams, id_, object_id, text).status_code
    assert status in (201, 400)
    assert timeranges(tams, id_) == ([text] if status == 201 else [])


@pytest.mark.behaviour("TR-15")
@pytest.mark.parametrize(
    ("first", "second"),
    [("[0:0_1:0)", "[1:0_2:0)"), ("[0:0_1:0]", "[1:1_2:0)"), ("[0:0_1:0)", "[1:0]"), ("[0:999999999]", "[1:0_2:0)")],
)
def test_adjacent_segments_do_not_overlap(tams: TamsClient, first: str, second: str) -> None:
    id_ = make_timeline(tams, segments=[first])["id"]
    [object_id] = tams.make_objects(id_, 1)
    assert post_segment(tams, id_, object_id, second).status_code == 201
    assert timeranges(tams, id_) == [first, second]
    assert timeranges(tams, id_, timerange=first) == [first]
    assert timeranges(tams, id_, timerange=second) == [second]
