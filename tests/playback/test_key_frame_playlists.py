"""F19: playlists of key frames over HTTP."""

import io
import re
from fractions import Fraction
from typing import Any

import av
import httpx
import pytest

from storage.catalog.playback import kept, recent_texts
from tests.api.in_process import Running
from tests.conformance.kit.documents import AUDIO, MULTI
from tests.interop.media import numbered
from tests.playback.flows import TODAY, add_segments, playlist_of, put_flow, spans
from tests.playback.rules import check_reload, read_multivariant_playlist


@pytest.fixture(scope="module")
def media() -> bytes:
    """A transport stream that begins with a key frame."""
    target = io.BytesIO()
    with av.open(target, "w", format="mpegts") as output:
        numbered.encode(output, range(6), Fraction(25), 6)
    return target.getvalue()


@pytest.fixture
def http(running: Running, monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    """A client of a server that keeps nothing, so that changes are seen at once."""
    monkeypatch.setattr(recent_texts, "LIFETIME_S", 0.0)
    monkeypatch.setattr(kept, "KEEP_S", 0)
    return running.client


def store(http: httpx.Client, media: bytes, *times: tuple[int, int], flow_id: str = "", **members: Any) -> str:
    """Segments with media. Returns the id of their flow, which is created unless it is given."""
    flow_id = flow_id or str(put_flow(http, **members)["id"])
    slots = http.post(f"/flows/{flow_id}/storage", json={"limit": len(times)}).json()["media_objects"]
    for slot, (first, last) in zip(slots, times, strict=True):
        httpx.put(slot["put_url"]["url"], content=media, headers={"Content-Type": "video/mp2t"}).raise_for_status()
        item = {"object_id": slot["object_id"], "timerange": f"[{TODAY + first}:0_{TODAY + last}:0)"}
        http.post(f"/flows/{flow_id}/segments", json=item).raise_for_status()
    return flow_id


def test_each_segment_has_its_key_frame(http: httpx.Client, media: bytes) -> None:
    flow_id = store(http, media, *spans(3), status="closed_complete")
    found, whole = playlist_of(http, flow_id, frames="key"), playlist_of(http, flow_id, frames="all")
    assert "EXT-X-I-FRAMES-ONLY" in found.tags
    assert [each.uri for each in found.segments] == [each.uri for each in whole.segments]
    assert found.duration == whole.duration
    assert all(each.byte_range and each.byte_range[1] < len(media) for each in found.segments)


def test_a_last_segment_of_one_picture_does_not_raise_the_bit_rate(http: httpx.Client, media: bytes) -> None:
    flow_id = store(http, media, (0, 2), status="closed_complete")
    source_id = http.get(f"/flows/{flow_id}").json()["source_id"]
    slot = http.post(f"/flows/{flow_id}/storage", json={"limit": 1}).json()["media_objects"][0]
    httpx.put(slot["put_url"]["url"], content=media, headers={"Content-Type": "video/mp2t"}).raise_for_status()
    item = {"object_id": slot["object_id"], "timerange": f"[{TODAY + 2}:0]"}
    http.post(f"/flows/{flow_id}/segments", json=item).raise_for_status()
    [pictures] = read_multivariant_playlist(http.get(f"/sources/{source_id}/output.m3u8").text).key_frames
    size = max(each.byte_range[1] for each in playlist_of(http, flow_id, frames="key").segments if each.byte_range)
    assert int(pictures["BANDWIDTH"]) <= 2 * size * 8


def test_live_key_frames_have_the_numbers_of_their_segments(http: httpx.Client, media: bytes) -> None:
    flow_id = store(http, media, *spans(6), status="ingesting")
    last = None
    for number in range(6, 12):
        store(http, media, *spans(1, number), flow_id=flow_id)
        found, whole = (playlist_of(http, flow_id, frames=frames, window=10) for frames in ("key", "all"))
        assert [(each.number, each.uri) for each in found.segments] == [
            (each.number, each.uri) for each in whole.segments
        ]
        if last is not None:
            check_reload(last, found)
        last = found


def test_what_is_no_key_frame_is_a_gap(http: httpx.Client, media: bytes) -> None:
    flow_id = store(http, media, *spans(2), status="closed_complete")
    add_segments(http, flow_id, *spans(1, 2))
    assert [each.is_gap for each in playlist_of(http, flow_id, frames="key").segments] == [False, False, True]


def test_many_key_frames_are_thinned_where_nothing_is_added(
    http: httpx.Client, media: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.catalog.playback.hls.MOST_PICTURES", 3)
    flow_id = store(http, media, *spans(7), status="closed_complete")
    found = playlist_of(http, flow_id, frames="key")
    assert [each.duration for each in found.segments] == [6, 6, 2]
    growing = store(http, media, *spans(4), status="ingesting")
    response = http.get(f"/flows/{growing}/output.m3u8", params={"frames": "key", "type": "event"})
    assert (response.status_code, response.json()["field"]) == (400, "timerange")


def test_without_key_frames_there_is_no_playlist_of_them(http: httpx.Client) -> None:
    flow_id = put_flow(http, status="closed_complete")["id"]
    add_segments(http, flow_id, *spans(2))
    assert http.get(f"/flows/{flow_id}/output.m3u8", params={"frames": "key"}).status_code == 415
    multi = put_flow(http, MULTI, flow_collection=[{"id": flow_id}])
    assert read_multivariant_playlist(http.get(f"/flows/{multi['id']}/output.m3u8").text).key_frames == []
    assert http.get(f"/flows/{multi['id']}/output.m3u8", params={"frames": "key"}).status_code == 415


def test_programmes_name_key_frames_of_pictures(http: httpx.Client, media: bytes) -> None:
    video = store(http, media, *spans(2), status="closed_complete")
    sound = str(put_flow(http, AUDIO, status="closed_complete")["id"])
    add_segments(http, sound, *spans(2))
    multi = put_flow(http, MULTI, flow_collection=[{"id": video}, {"id": sound}])
    found = read_multivariant_playlist(http.get(f"/flows/{multi['id']}/output.m3u8").text)
    [key_frames] = found.key_frames
    assert key_frames["URI"].split("/")[3] == video
    assert re.fullmatch(r"avc1\.[0-9a-f]{6}", key_frames["CODECS"])
    growing = read_multivariant_playlist(http.get(f"/flows/{multi['id']}/output.m3u8", params={"type": "event"}).text)
    assert growing.key_frames == []
