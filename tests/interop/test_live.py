"""Live ingest: readers follow a flow while its segments arrive, and see each segment once, in order.

TAMS objects never change once they are registered. What grows is a flow, by further segments, and the use of an object,
by further segments over the rest of it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
import pytest

from tests.conformance.kit.documents import VIDEO, Json, flow
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.receiver import Receiver, receiver_at

from .demo import clip as clips
from .demo.client import ApiError, Tams
from .demo.timeline import SECOND, Span, parse_span, timestamp
from .ingest import fetch, segment, store, upload
from .media import transport_stream
from .test_transport_streams import assert_pictures, ready

SEGMENTS = 120
LENGTH = SECOND // 2
PAGE = 20
PATIENCE_S = 60
_PAUSE_S = 0.02

Follow = Callable[[httpx.Client, str, threading.Event], list[Json]]


def span(number: int) -> Span:
    return Span(number * LENGTH, (number + 1) * LENGTH)


def ingest(service: Tams, flow_id: str) -> list[str]:
    """Register the segments one after another, as an encoder does, and return their objects."""
    ids: list[str] = []
    for number in range(SEGMENTS):
        if number % 40 == 0:
            ids += upload(service, flow_id, [f"media {n}".encode() for n in range(number, number + 40)])
        service.register(flow_id, [{"object_id": ids[number], **segment(span(number), key_frame_count=1)}])
    return ids


def by_timerange(api: httpx.Client, flow_id: str, done: threading.Event) -> list[Json]:
    """Ask again and again for what begins after the last segment seen."""
    seen: list[Json] = []
    while True:
        is_last = done.is_set()
        since = timestamp(parse_span(seen[-1]["timerange"]).end) if seen else "0:0"
        query = {"timerange": f"[{since}_", "limit": str(PAGE)}
        page = api.get(f"/flows/{flow_id}/segments", params=query).raise_for_status().json()
        seen += page
        if not page and is_last:
            return seen
        time.sleep(0 if page else _PAUSE_S)


def by_page_key(api: httpx.Client, flow_id: str, done: threading.Event) -> list[Json]:
    """Follow links to full pages. Ask for the last page again until it has a link."""
    seen: list[Json] = []
    url, known = f"/flows/{flow_id}/segments?limit={PAGE}", 0
    while True:
        is_last = done.is_set()
        response = api.get(url).raise_for_status()
        page = response.json()
        assert [each["object_id"] for each in page[:known]] == [each["object_id"] for each in seen[len(seen) - known :]]
        seen, known = seen + page[known:], len(page)
        if "next" in response.links:
            url, known = response.links["next"]["url"], 0
        elif is_last:
            return seen
        else:
            time.sleep(_PAUSE_S)


@contextmanager
def webhook(service: Tams, receiver: Receiver, flow_id: str) -> Iterator[Callable[[], list[Json]]]:
    """Register a webhook for the flow's segments, and yield a function that returns those received so far."""
    inbox = receiver.inbox()
    events = ["flows/segments_added"]
    created = service.api.post("/service/webhooks", json={"url": inbox.url, "events": events, "flow_ids": [flow_id]})
    created.raise_for_status()

    def received() -> list[Json]:
        bodies = [orjson.loads(each.body) for each in inbox.deliveries()]
        return [each for body in bodies for each in body["event"]["segments"]]

    yield received
    service.api.delete(f"/service/webhooks/{created.json()['id']}").raise_for_status()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiver_at("127.0.0.1", Receiver) as receiver:
        yield receiver


def test_readers_of_a_live_flow_see_each_segment_once_and_in_order(service: Tams, receiver: Receiver) -> None:
    document = flow(VIDEO, status="ingesting")
    flow_id = document["id"]
    service.put_flow(document)
    done = threading.Event()
    readers: list[Follow] = [by_timerange, by_page_key]
    with webhook(service, receiver, flow_id) as received, ThreadPoolExecutor(len(readers)) as threads:
        following = {read.__name__: threads.submit(read, service.new_api(), flow_id, done) for read in readers}
        try:
            expected = ingest(service, flow_id)
        finally:
            done.set()
        seen = {how: reader.result(PATIENCE_S) for how, reader in following.items()}
        wait_until(lambda: len(received()) >= SEGMENTS, "the events of all segments", PATIENCE_S)
        seen["by_webhook"] = received()
    for how, segments in seen.items():
        assert [each["object_id"] for each in segments] == expected, how
        assert [each["timerange"] for each in segments] == [str(span(n)) for n in range(SEGMENTS)], how
    service.put_flow({**document, "status": "closed_complete"})
    assert service.get(f"/flows/{flow_id}", include_timerange="true")["timerange"] == "[0:0_60:0)"


def test_an_object_is_used_bit_by_bit(service: Tams, clip: clips.Clip) -> None:
    """A long object is registered with its whole timerange, and its segments follow while a reader waits for them."""
    [whole] = transport_stream.mux_clip(clip, clips.GOP)
    document = flow(VIDEO, container=transport_stream.TYPE)
    first, *rest = [Span(n * SECOND // 2, (n + 1) * SECOND // 2) for n in range(4)]
    [object_id] = store(service, document, [whole.media], [segment(first, whole.object_span, whole.ts_offset)])
    for number, part in enumerate([first, *rest]):
        if number:
            service.register(document["id"], [{"object_id": object_id, **segment(part, ts_offset=whole.ts_offset)}])
        found = fetch(service, document["id"])
        assert len(found) == number + 1
        assert {each.media for each in found} == {whole.media}
        pictures = -(-part.end * clips.FRAME_RATE // SECOND)
        assert_pictures(ready(found), Span(0, part.end), range(pictures))


def test_a_registered_object_does_not_grow(service: Tams, clip: clips.Clip) -> None:
    [whole] = transport_stream.mux_clip(clip, clips.GOP)
    document = flow(VIDEO, container=transport_stream.TYPE)
    half = Span(0, SECOND)
    object_half = half.shifted(-whole.ts_offset)
    [object_id] = store(service, document, [whole.media], [segment(half, object_half, whole.ts_offset)])
    longer: list[dict[str, Any]] = [
        segment(Span(SECOND, 2 * SECOND), ts_offset=whole.ts_offset),
        segment(Span(SECOND, 2 * SECOND), whole.object_span, whole.ts_offset),
    ]
    for each in longer:
        with pytest.raises(ApiError, match="not all segments were registered"):
            service.register(document["id"], [{"object_id": object_id, **each}])
    assert len(fetch(service, document["id"])) == 1
