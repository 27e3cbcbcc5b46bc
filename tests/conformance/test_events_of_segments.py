"""Events of segments: those that were stored, and the timeranges of those deleted (EVT-SA-*, EVT-SD-*)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import httpx
import pytest

from storage.timerange import TimeRange
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import delete_segments
from tests.conformance.kit.documents import Json
from tests.conformance.kit.events import (
    SEGMENTS_ADDED,
    SEGMENTS_DELETED,
    SOURCE_UPDATED,
    Event,
    single_event,
    without_repeats,
)
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.instances import add_uncontrolled_url
from tests.conformance.kit.receiver import Receiver
from tests.conformance.kit.segments import normalised, post_segment, register_segment
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.webhooks import Hook, Hooks, wait_for_marker

SPREAD = ("[0:0_10:0)", "[10:0_20:0)", "[30:0_40:0)", "[40:0_50:0)", "[60:0_70:0]")
"""Three runs of adjacent segments, with gaps between them."""
DELETED: dict[str | None, Sequence[str]] = {
    None: SPREAD,
    "_": SPREAD,
    "[-100:0_25:0)": SPREAD[:2],
    "[25:0_55:0)": SPREAD[2:4],
    "[35:0_": SPREAD[3:],
    "[5:0_45:0)": SPREAD[1:3],
    "[60:0_70:0]": SPREAD[4:],
    "[21:0_29:0)": (),
    "[1:0_9:0)": (),
    "()": (),
}
"""Timeranges to delete, and the segments of SPREAD that are deleted."""
TO_DELETE = [(each, removed) for each, removed in DELETED.items() if removed]


@pytest.fixture
def flow(tams: TamsClient) -> Json:
    return tams.make_flow()


@pytest.fixture
def hook(hooks: Hooks, flow: Json) -> Hook:
    """A webhook for all events of the flow."""
    return hooks.make(source_ids=[flow["source_id"]])


def added(tams: TamsClient, hook: Hook, flow: Json) -> list[Event]:
    """All segments_added events so far."""
    wait_for_marker(tams, flow["source_id"], hook)
    return without_repeats(hook.events(SEGMENTS_ADDED, about=flow["id"]))


def deleted(hook: Hook, flow: Json) -> list[TimeRange]:
    """The timeranges of all segments_deleted events so far."""
    return [
        normalised(event.body["timerange"])
        for event in without_repeats(hook.events(SEGMENTS_DELETED, about=flow["id"]))
    ]


def segments_in(events: Sequence[Event]) -> list[tuple[str, str]]:
    """The object and timerange of every segment in these events."""
    segments = [segment for event in events for segment in event.body["segments"]]
    return sorted((each["object_id"], each["timerange"]) for each in segments)


# -- Added


@pytest.mark.behaviour("EVT-SA-01", "EVT-SA-03", "EVT-SA-04", "AMB-23", "EVT-SD-02")
@pytest.mark.parametrize("count", [1, 40])
def test_each_stored_segment_is_sent_once(tams: TamsClient, hook: Hook, flow: Json, count: int) -> None:
    sent = tams.make_segments(flow["id"], [f"[{n}:0_{n + 1}:0)" for n in range(count)])
    events = added(tams, hook, flow)
    assert segments_in(events) == sorted((each["object_id"], each["timerange"]) for each in sent)
    assert all(event.body["flow_id"] == flow["id"] and "timerange" not in event.body for event in events)
    assert not hook.events(SEGMENTS_DELETED)


@pytest.mark.behaviour("EVT-SA-01")
def test_an_event_contains_the_segment_as_listed(tams: TamsClient, hook: Hook, flow: Json) -> None:
    members = {"ts_offset": "-5:0", "last_duration": "0:40000000"}
    register_segment(tams, flow["id"], "[5:0_15:0)", **members)
    (listed,) = tams.segments(flow["id"])
    event = single_event(added(tams, hook, flow))
    (segment,) = event.body["segments"]
    kept = ("object_id", "timerange", *members)
    assert {name: segment.get(name) for name in kept} == {name: listed.get(name) for name in kept}
    assert {url["label"] for url in segment["get_urls"]} == {url["label"] for url in listed["get_urls"]}


@pytest.mark.behaviour("EVT-SA-02", "DLV-13")
def test_rejected_segments_are_not_sent(tams: TamsClient, hook: Hook, flow: Json) -> None:
    ids = tams.make_objects(flow["id"], 3)
    timeranges = ("[0:0_10:0)", "[5:0_15:0)", "[20:0_30:0)")
    bulk = [{"object_id": id_, "timerange": each} for id_, each in zip(ids, timeranges, strict=True)]
    response = tams.post(f"/flows/{flow['id']}/segments", bulk)
    assert response.status_code in (200, 400), response.text
    stored = sorted((each["object_id"], each["timerange"]) for each in tams.segments(flow["id"]))
    assert segments_in(added(tams, hook, flow)) == stored


@pytest.mark.behaviour("EVT-SA-02", "DLV-13")
def test_nothing_is_sent_if_nothing_was_stored(tams: TamsClient, hook: Hook, flow: Json) -> None:
    register_segment(tams, flow["id"], "[0:0_10:0)")
    before = len(added(tams, hook, flow))
    ids = tams.make_objects(flow["id"], 2)
    bulk = [{"object_id": id_, "timerange": "[5:0_15:0)"} for id_ in ids]
    tams.post(f"/flows/{flow['id']}/segments", bulk)
    assert len(tams.segments(flow["id"])) == 1
    assert len(added(tams, hook, flow)) == before == 1


@pytest.mark.behaviour("EVT-SA-05")
def test_allocations_uploads_and_instances_send_no_events(tams: TamsClient, hook: Hook, flow: Json) -> None:
    object_id = register_segment(tams, flow["id"])
    before = len(added(tams, hook, flow))
    tams.make_objects(flow["id"], 2, b"content")
    add_uncontrolled_url(tams, object_id)
    wait_for_marker(tams, flow["source_id"], hook)
    others = [event for event in hook.events() if event.type not in (SEGMENTS_ADDED, SOURCE_UPDATED)]
    assert others == []
    assert len(added(tams, hook, flow)) == before == 1


@pytest.mark.behaviour("EVT-SA-01", "EVT-FU-03")
def test_using_an_object_in_a_second_flow_sends_an_event_of_that_flow(tams: TamsClient, hook: Hook, flow: Json) -> None:
    object_id = register_segment(tams, tams.make_flow()["id"])
    assert post_segment(tams, flow["id"], object_id, "[0:0_10:0)").status_code == 201
    assert segments_in(added(tams, hook, flow)) == [(object_id, "[0:0_10:0)")]


# -- Deleted


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion. sent: the timeranges of its events. left: the number of remaining segments."""

    sent: Sequence[TimeRange]
    left: int


@pytest.fixture(scope="module")
def deletions(
    http: httpx.Client, receiver: Receiver, event_timeout: float, events_arrive: None
) -> Iterator[dict[str | None, Deletion]]:
    """The events sent for the deletion of each of DELETED, each in its own flow."""
    with shared_client(http) as tams:
        source_id = fresh()
        hook = Hooks(tams, receiver, event_timeout).make(source_ids=[source_id])
        flows = {timerange: tams.make_flow(source_id=source_id) for timerange in DELETED}
        for timerange, flow in flows.items():
            tams.make_segments(flow["id"], SPREAD)
            delete_segments(tams, flow["id"], timerange=timerange)
        wait_for_marker(tams, source_id, hook)
        yield {
            timerange: Deletion(deleted(hook, flow), len(tams.segments(flow["id"])))
            for timerange, flow in flows.items()
        }


def assert_covers(sent: Sequence[TimeRange], removed: Sequence[str]) -> None:
    """Check that the timeranges start and end on deleted segments, and cover all of them."""
    segments = [normalised(each) for each in removed]
    assert {each.start for each in sent} <= {each.start for each in segments}
    assert {each.end for each in sent} <= {each.end for each in segments}
    assert all(any(each.covers(segment) for each in sent) for segment in segments)


@pytest.mark.behaviour("EVT-SD-01", "EVT-SD-02", "EVT-SD-04", "AMB-22")
@pytest.mark.parametrize(("timerange", "removed"), TO_DELETE, ids=[str(timerange) for timerange, _ in TO_DELETE])
def test_deletion_events_cover_exactly_the_deleted_segments(
    deletions: dict[str | None, Deletion], timerange: str | None, removed: Sequence[str]
) -> None:
    assert_covers(deletions[timerange].sent, removed)
    assert deletions[timerange].left == len(SPREAD) - len(removed)


@pytest.mark.behaviour("EVT-SD-03")
@pytest.mark.parametrize("timerange", [each for each, removed in DELETED.items() if not removed])
def test_nothing_is_sent_if_nothing_was_deleted(deletions: dict[str | None, Deletion], timerange: str) -> None:
    assert deletions[timerange] == Deletion([], len(SPREAD))


@pytest.mark.behaviour("EVT-SD-01", "EVT-SD-02", "AMB-22")
def test_deleting_by_object_does_not_cover_remaining_segments(tams: TamsClient, hook: Hook, flow: Json) -> None:
    tams.make_segments(flow["id"], ["[10:0_20:0)"])
    object_id = register_segment(tams, flow["id"], "[0:0_10:0)")
    assert post_segment(tams, flow["id"], object_id, "[20:0_30:0)", ts_offset="20:0").status_code == 201
    delete_segments(tams, flow["id"], object_id=object_id)
    wait_for_marker(tams, flow["source_id"], hook)
    assert_covers(deleted(hook, flow), ["[0:0_10:0)", "[20:0_30:0)"])


@pytest.mark.behaviour("EVT-SD-01", "EVT-SD-02", "EVT-SD-04")
def test_a_slow_deletion_sends_events_for_all_deleted_segments(tams: TamsClient, hook: Hook, flow: Json) -> None:
    """A server may send one event, or several as the deletion proceeds."""
    for start in (0, 30):
        tams.make_segments(flow["id"], [f"[{n}:0_{n + 1}:0)" for n in range(start, start + 30)])
    delete_segments(tams, flow["id"], timerange="[1:0_100:0)")
    wait_for_marker(tams, flow["source_id"], hook)
    found = sorted(deleted(hook, flow), key=lambda each: each.start or 0)
    assert (found[0].start, found[-1].end) == (normalised("[1:0_2:0)").start, normalised("[59:0_60:0)").end)
    assert all(before.end == after.start for before, after in pairwise(found))
