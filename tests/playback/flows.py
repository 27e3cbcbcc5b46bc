"""Flows with segments for tests of playlists, over HTTP. What their objects hold does not matter."""

from typing import Any

import httpx

from tests.conformance.kit.documents import AUDIO, VIDEO, Json, flow, init_flow
from tests.playback.rules import Playlist, read_media_playlist

TODAY = 1_800_000_000
"""In TAI seconds."""


def put_flow(http: httpx.Client, *args: str, **members: Any) -> Json:
    document = flow(*args or (VIDEO,), **members)
    http.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return document


def add_segments(http: httpx.Client, flow_id: str, *spans: tuple[int, int], **members: Any) -> list[str]:
    """Register a segment for each span, in seconds after TODAY. Returns the ids of their objects."""
    ids: list[str] = []
    for start in range(0, len(spans), 1000):
        part = spans[start : start + 1000]
        slots = http.post(f"/flows/{flow_id}/storage", json={"limit": len(part)}).raise_for_status().json()
        items = [
            {"object_id": slot["object_id"], "timerange": f"[{TODAY + first}:0_{TODAY + last}:0)", **members}
            for slot, (first, last) in zip(slots["media_objects"], part, strict=True)
        ]
        assert http.post(f"/flows/{flow_id}/segments", json=items).status_code == 201
        ids += [item["object_id"] for item in items]
    return ids


def put_mp4(http: httpx.Client, format_: str = VIDEO, **members: Any) -> Json:
    """A flow in fragmented MP4."""
    document = init_flow(**members)
    if format_ == AUDIO:
        essence = {"sample_rate": 48000, "channels": 2, "init_segments": True}
        document = flow(AUDIO, container="audio/mp4", essence_parameters=essence, **members)
    http.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return document


def new_init(http: httpx.Client, flow_id: str) -> str:
    body = {"limit": 1, "content_type": "video/mp4"}
    slots = http.post(f"/flows/{flow_id}/storage", json=body).raise_for_status().json()["media_objects"]
    return str(slots[0]["object_id"])


def fill(http: httpx.Client, flow_id: str, *times: tuple[int, int], **members: Any) -> list[str]:
    """Segments with an init object of their own."""
    return add_segments(http, flow_id, *times, **{"init_object_id": new_init(http, flow_id), **members})


def spans(count: int, first: int = 0, length: int = 2) -> list[tuple[int, int]]:
    return [(length * number, length * (number + 1)) for number in range(first, first + count)]


def playlist_of(http: httpx.Client, flow_id: str, **query: Any) -> Playlist:
    """The media playlist of a flow, which keeps the rules of HLS."""
    response = http.get(f"/flows/{flow_id}/output.m3u8", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/vnd.apple.mpegurl"
    return read_media_playlist(response.text)
