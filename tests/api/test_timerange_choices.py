"""Timerange texts that match the pattern but that the standard does not define, and the choices of this server."""

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.flow_states import read_flow
from tests.conformance.kit.segments import post_segment, timeranges
from tests.conformance.kit.timelines import SEGMENTS, make_timeline

UNDEFINED = ["", "[", "]", "(", ")", "[]", "(]", "[)", "[5:0", "5:0]", "(5:0", "5:0)"]
PATHS = ["/flows", "/flows/{id}", "/flows/{id}/segments"]


@pytest.mark.behaviour("A05", "TR-10")
@pytest.mark.parametrize(
    ("text", "letters"),
    [("0:0_1:0", "CD"), ("[0:0_1:0", "CD"), ("0:0_1:0)", "C"), ("0:0_1:0]", "CD"), ("-5:0_0:0", "BC"), ("2:0_", "E")],
)
def test_a_bound_without_a_bracket_is_included(tams: TamsClient, text: str, letters: str) -> None:
    id_ = make_timeline(tams)["id"]
    assert timeranges(tams, id_, timerange=text) == [SEGMENTS[letter] for letter in letters]


@pytest.mark.behaviour("A05")
@pytest.mark.parametrize("text", UNDEFINED)
@pytest.mark.parametrize("path", PATHS)
def test_an_undefined_timerange_is_taken_by_queries_that_only_read(tams: TamsClient, path: str, text: str) -> None:
    url = path.format(id=make_timeline(tams)["id"])
    defined = f"[{text.strip('[]()')}]" if ":" in text else "()"
    if text[:1] == "(" or text[-1:] == ")":
        defined = "()"
    response, expected = tams.get(url, timerange=text), tams.get(url, timerange=defined)
    assert (response.status_code, response.json()) == (200, expected.json())


@pytest.mark.behaviour("TR-16")
@pytest.mark.parametrize("text", ["yesterday", "[0:0_1:0_2:0)", "][", "[[", "[ 5:0", "(_)_", "\0"])
@pytest.mark.parametrize("path", PATHS)
def test_a_timerange_that_the_pattern_forbids_is_rejected(tams: TamsClient, path: str, text: str) -> None:
    response = tams.get(path.format(id=tams.make_flow()["id"]), timerange=text)
    assert (response.status_code, response.json()["field"]) == (400, "timerange")


@pytest.mark.behaviour("A05")
@pytest.mark.parametrize("text", UNDEFINED)
def test_an_undefined_timerange_deletes_nothing(tams: TamsClient, text: str) -> None:
    id_ = make_timeline(tams)["id"]
    assert tams.delete(f"/flows/{id_}/segments", timerange=text).status_code == 400
    assert timeranges(tams, id_) == list(SEGMENTS.values())


@pytest.mark.behaviour("A20", "FLOW-GET-05")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("_", "[-10:0_3:0]"),
        ("[0:500000000_1:500000000)", "[0:500000000_1:500000000)"),
        ("[-20:0_0:0)", "[-10:0_0:0)"),
        ("[2:0_", "[2:0_3:0]"),
        ("_0:0]", "[-10:0_0:0]"),
        ("[1:0]", "[1:0]"),
        ("[3:0_4:0)", "[3:0]"),
        ("(3:0_", "()"),
    ],
)
def test_the_timerange_of_a_flow_is_limited_to_the_requested_one(tams: TamsClient, text: str, shown: str) -> None:
    id_ = make_timeline(tams)["id"]
    assert read_flow(tams, id_, include_timerange=True, timerange=text)["timerange"] == shown


@pytest.mark.behaviour("A08", "PAGE-13")
def test_the_timerange_of_a_page_covers_its_segments(tams: TamsClient) -> None:
    path = f"/flows/{make_timeline(tams)['id']}/segments"
    shown = [page.headers["X-Paging-Timerange"] for page in tams.pages(path, limit=2)]
    assert shown == ["[-10:0_0:0)", "[0:0_2:0)", "[2:0_3:0]"]
    reversed_ = [page.headers["X-Paging-Timerange"] for page in tams.pages(path, limit=2, reverse_order=True)]
    assert reversed_ == ["[1:0_3:0]", "[-5:0_1:0)", "[-10:0_-5:0)"]
    assert tams.get(path, timerange="()").headers["X-Paging-Timerange"] == "()"


@pytest.mark.behaviour("TR-06", "TR-17")
@pytest.mark.parametrize(
    ("text", "shown"), [("[5:0_5:0]", "[5:0]"), ("[5:0_6:0]", "[5:0_6:0]"), ("5:0_6:0)", "[5:0_6:0)")]
)
def test_the_timerange_of_a_segment_is_normalised(tams: TamsClient, text: str, shown: str) -> None:
    assert timeranges(tams, make_timeline(tams, segments=[text])["id"]) == [shown]


@pytest.mark.behaviour("TR-14")
@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("[9223372036:854775805_9223372036:854775806)", 201),
        ("[-9223372036:854775807_-9223372036:854775806)", 201),
        ("[9223372036:854775806_9223372036:854775807)", 400),
        ("[281474976710654:0_281474976710655:0)", 400),
        ("[-281474976710655:0_-281474976710654:0)", 400),
    ],
)
def test_a_segment_must_lie_within_64_bits_of_nanoseconds(tams: TamsClient, text: str, status: int) -> None:
    id_ = tams.make_flow()["id"]
    [object_id] = tams.make_objects(id_, 1)
    assert post_segment(tams, id_, object_id, text).status_code == status
    assert timeranges(tams, id_) == ([text] if status == 201 else [])
