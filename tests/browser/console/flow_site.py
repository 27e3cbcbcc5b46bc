"""A server with flows for the tests of a flow's page: one with media, one with gaps and reuse, and a long one."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.api.in_process import TOKEN, Running, serving
from tests.benchmarks.flow_seeding import Filled
from tests.benchmarks.seeding import seeding
from tests.conformance.kit.documents import MULTI, VIDEO, Json, flow
from tests.conformance.kit.ids import fresh
from tests.interop.demo import clip as clips
from tests.interop.demo import flows, segmenting
from tests.interop.demo.client import Tams
from tests.interop.ingest import segment, store

SECONDS = 6
"""Of the clip."""
LONG = int(os.environ.get("TIMELINE_SEGMENTS", "20000"))
"""Segments of the long flow."""
FEW = 10
"""Of the long flow, where it does not matter."""
START = 1_790_000_000
"""Of the flow with gaps, in TAI seconds: in September 2026."""


@dataclass(frozen=True, slots=True)
class FlowSite:
    """running: the server. The others are ids of its flows. objects: of the clip, in order.

    programme: has no segments, and collects the clip and its sound. muxed: has segments, and no frame rate.
    """

    running: Running
    clip: str
    programme: str
    muxed: str
    gaps: str
    long: Filled
    objects: list[str]


class _Api:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def send(self, method: str, path: str, body: Any = None) -> Any:
        response = self._client.request(method, path, json=body).raise_for_status()
        return json.loads(response.content) if response.content else None


@contextmanager
def flow_site(folder: Path, clip_file: Path, long: int = LONG) -> Iterator[FlowSite]:
    """Serve an installation with such flows, until the block ends."""
    with serving(folder) as running:
        clip = clips.make(clip_file, SECONDS)
        clip_id, objects = _add_clip(running, clip)
        filled = Filled(9, long)
        filled.create(_Api(running.client))
        with seeding(f"sqlite:///{folder / 'catalog.db'}") as seeder:
            filled.fill(seeder, _ignore)
        programme, muxed = _add_programme(running, clip, clip_id), _add_muxed(running, clip_id)
        yield FlowSite(running, clip_id, programme, muxed, _add_gaps(running), filled, objects)


_ignore: Callable[[int], None] = lambda _: None  # noqa: E731


def _add_clip(running: Running, clip: clips.Clip) -> tuple[str, list[str]]:
    essence = segmenting.cut_video(clip)
    document = {**flows.video_flow(essence), "label": "Evening news, camera 1", "status": "closed_complete"}
    return str(document["id"]), _store(running, document, essence)


def _store(running: Running, document: Json, essence: segmenting.Essence) -> list[str]:
    parts: list[Json] = []
    for piece in essence.pieces:
        keys = {} if piece.key_frames is None else {"key_frame_count": piece.key_frames}
        parts.append(segment(piece.span, piece.object_span, piece.ts_offset, **keys))
    with Tams(running.url, TOKEN) as client:
        return store(client, document, [piece.media for piece in essence.pieces], parts)


def _add_programme(running: Running, clip: clips.Clip, clip_id: str) -> str:
    essence = segmenting.cut_audio(clip)
    sound = {**flows.audio_flow(essence), "label": "Evening news, sound", "status": "closed_complete"}
    _store(running, sound, essence)
    document = {**flows.multi_flow({"id": clip_id}, sound), "label": "Evening news"}
    running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return str(document["id"])


def _add_muxed(running: Running, clip_id: str) -> str:
    """A multi flow with a container, whose files are those of the clip: pictures alone, which players do not mind."""
    members = [{"id": clip_id, "role": "video"}]
    container = {"container": flows.CONTAINER, "status": "closed_complete", "avg_bit_rate": 1000}
    document = flow(MULTI, label="Evening news in one file", flow_collection=members, **container)
    running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    fields = ("object_id", "timerange", "ts_offset", "key_frame_count")
    listed: list[Json] = running.client.get(f"/flows/{clip_id}/segments").raise_for_status().json()
    parts = [{name: each[name] for name in fields if name in each} for each in listed]
    running.client.post(f"/flows/{document['id']}/segments", json=parts).raise_for_status()
    return str(document["id"])


def _add_gaps(running: Running) -> str:
    """Forty segments of two seconds without those from 10 to 14 and 25; every fifth object is used twice."""
    client = running.client
    document = flow(VIDEO, label="Match, with gaps", status="ingesting")
    client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    numbers = [n for n in range(40) if n not in (*range(10, 15), 25)]
    ids = [fresh() for _ in numbers]
    client.post(f"/flows/{document['id']}/storage", json={"object_ids": ids}).raise_for_status()
    items = [
        {"object_id": id_, "timerange": f"[{START + 2 * n}:0_{START + 2 * n + 2}:0)", "key_frame_count": 2}
        for id_, n in zip(ids, numbers, strict=True)
    ]
    client.post(f"/flows/{document['id']}/segments", json=items).raise_for_status()
    cut = flow(VIDEO, label="Highlights")
    client.put(f"/flows/{cut['id']}", json=cut).raise_for_status()
    reused = [
        {"object_id": id_, "timerange": item["timerange"]} for id_, item in zip(ids[::5], items[::5], strict=True)
    ]
    part = {"object_id": ids[1], "timerange": f"[{START + 200}:0_{START + 201}:0)", "ts_offset": "198:0"}
    client.post(f"/flows/{cut['id']}/segments", json=[*reused, part]).raise_for_status()
    return str(document["id"])
