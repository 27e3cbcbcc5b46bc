"""F19: playlists and manifests of flows whose metadata and segments are valid, but as odd as they can be."""

from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from storage.catalog.playback import recent_texts
from storage.catalog.playback.playlist_request import PlaylistRequest
from storage.catalog.playback.playlist_text import PlaylistText
from storage.errors import Invalid, NotFound, TamsError, Unsuitable
from tests.conformance.kit.documents import AUDIO, MULTI, TECHNICAL, VIDEO, Json, flow
from tests.conformance.kit.ids import fresh
from tests.playback.dash_rules import read_manifest
from tests.playback.rules import read_media_playlist, read_multivariant_playlist
from tests.unit.catalogs import BASE, CALLER, World, open_world

TODAY = 1_800_000_000
INJECTED = '"x",URI="https://evil.example"\n#EXT-X-KEY:A=B\r\nhttps://evil.example\u2028</Label>\x00\x1f\x7f\x85 <&>\'é'
EVIL = ("https://evil.example", "#EXT-X-KEY", "</Label>")
LARGEST = 2**63 - 1
SOUND = {"sample_rate", "codec_parameters"}

ESSENCES: list[Json] = [
    *({"frame_rate": {"numerator": numerator}} for numerator in (1, 2**32 - 1, LARGEST, 1e300)),
    *({"frame_rate": {"numerator": 1, "denominator": each}} for each in (2**32 - 1, LARGEST, 1e300)),
    *({"frame_width": each, "frame_height": each} for each in (1, 10**9, 2**32, LARGEST, 1e300)),
    *({"sample_rate": each, "channels": each} for each in (1, 2**32 - 1, 2**32, LARGEST, 1e300)),
    {"vfr": True, "frame_rate": None},
    {"transfer_characteristic": "PQ", "avc_parameters": {"profile": -1, "flags": 10**9, "level": LARGEST}},
    {"codec_parameters": {"mp4_oti": LARGEST}},
]
MEMBERS: list[Json] = [
    *({name: value} for name in ("max_bit_rate", "avg_bit_rate") for value in (0, 2**32, LARGEST, 1e300)),
    *({"segment_duration": {"numerator": value}} for value in (1, LARGEST, 1e300, 1.7e308)),
    {"segment_duration": {"numerator": 1, "denominator": LARGEST}},
    *({"codec": codec} for codec in ("VIDEO/H264", 'video/"h264"', "video/h264;a=b", "é/☃", "audio/aac,x")),
    *({"container": container} for container in ('video/mp2t"', "Video/MP2T", "a,b/☃", "text/vtt", "audio/mp4")),
    {"label": INJECTED, "description": INJECTED},
    {"label": ""},
    *(
        {"tags": {f"hls_{name}": value for name in ("exclude", "language", "name", "default", "autoselect", "forced")}}
        for value in (INJECTED, [], [""], [INJECTED, "true"], "true", ["TRUE"], "é" * 2048, "en-" + "a" * 9)
    ),
]
CENTURY = 100 * 365 * 86_400
TIMES: list[tuple[str, str | None]] = [
    ("[0:0]", None),
    ("[0:0_0:1)", None),
    ("0:0_0:499999", "-0:1"),
    ("[100:0_100:10000000)", None),
    ("[-1:0_1:0)", None),
    ("[-0:1_0:1]", None),
    (f"[-{CENTURY}:0_{CENTURY}:0)", None),
    (f"[{TODAY}:0_{TODAY + 2 * CENTURY}:0)", None),
    ("[-9223372036:0_9223372036:0)", None),
    ("[9223372036:854775800_9223372036:854775804]", None),
    ("[-9223372036:854775806_-9223372036:854775800)", None),
    (f"[{TODAY}:0_{TODAY + 2}:0)", f"{TODAY + 1}:0"),
    ("[4611686017:0_4611686018:0)", "-4611686018:0"),
    ("[-4611686018:0_-4611686017:0)", "4611686018:0"),
    ("[1483228835:0_1483228838:0)", None),
]
"""Timeranges and ts_offset: of nanoseconds, of centuries, before zero, at both ends of what can be stored, and around a
leap second."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A catalogue that keeps no playlists, so that changes are seen at once."""
    monkeypatch.setattr(recent_texts, "LIFETIME_S", 0.0)
    with open_world(tmp_path) as opened:
        yield opened


def text_of(write: Callable[[], PlaylistText]) -> str:
    """What is written; empty if the client is told that there is nothing to play. Any other error is a fault."""
    try:
        return write().content.decode()
    except (Invalid, NotFound, Unsuitable):
        return ""


def play(world: World, flow_id: str) -> int:
    """Read the playlists and manifests of a flow, all of which keep the rules. Returns how many there are."""
    playback, found = world.catalog.playback, 0
    requests = [PlaylistRequest(type="vod"), PlaylistRequest(type="live"), PlaylistRequest(type="vod", frames="key")]
    for request in requests:
        text = text_of(lambda request=request: playback.flow_playlist(CALLER, flow_id, request, BASE))  # type: ignore[misc]
        if text:
            is_programme = "#EXT-X-STREAM-INF" in text
            (read_multivariant_playlist if is_programme else read_media_playlist)(text)
            assert not any(line.startswith(EVIL) for line in text.splitlines())
        manifest = text_of(lambda request=request: playback.manifest(CALLER, "flow", flow_id, request, BASE))  # type: ignore[misc]
        if manifest:
            read_manifest(manifest)
        assert len(text) + len(manifest) < 200_000
        found += bool(text) + bool(manifest)
    return found


def add(world: World, flow_id: str, *timeranges: str, **members: Any) -> list[TamsError]:
    """Register segments whose media are elsewhere, and return the errors."""
    urls = [{"url": "https://media.example/a.mp4", "label": "cdn"}]
    items = [{"object_id": fresh(), "timerange": each, "get_urls": urls, **members} for each in timeranges]
    return world.register(flow_id, *items)


def mp4(format_: str, essence: Json, **members: Any) -> Json:
    """A flow in fragmented MP4."""
    parameters = {**TECHNICAL[format_]["essence_parameters"], "init_segments": True, **essence}
    container = "audio/mp4" if format_ == AUDIO else "video/mp4"
    return flow(format_, **{"container": container, "essence_parameters": parameters, **members})


def initialised(world: World) -> str:
    """The id of an init object that segments of any flow may use, since one of the flow that it is for does."""
    flow_id, init_id = world.make_flow(mp4(VIDEO, {})), fresh()
    world.allocate(flow_id, init_id)
    assert add(world, flow_id, "[0:0_1:0)", init_object_id=init_id) == []
    return init_id


def collecting(world: World, ids: list[str]) -> str:
    multi = world.make_flow(flow(MULTI))
    world.set_collection(multi, *ids)
    return multi


def test_odd_metadata(world: World) -> None:
    documents = [mp4(AUDIO if each.keys() & SOUND else VIDEO, each) for each in ESSENCES]
    kinds = cycle(((VIDEO, "closed_complete"), (AUDIO, "ingesting"), (VIDEO, "ingesting"), (AUDIO, "closed_complete")))
    documents += [mp4(kind, {}, status=status, **each) for each, (kind, status) in zip(MEMBERS, kinds, strict=False)]
    ids, init_id = [world.make_flow(each) for each in documents], initialised(world)
    times = [f"[{at}:0_{at + 2}:0)" for at in range(TODAY, TODAY + 6, 2)]
    for id_ in ids:
        assert add(world, id_, *times, init_object_id=init_id) == []
    assert sum(play(world, id_) > 0 for id_ in ids) > 30
    # The key frames of a programme are those of its flows.
    assert play(world, collecting(world, ids)) == 5


@pytest.mark.parametrize("status", ["closed_complete", "ingesting"])
def test_odd_times(world: World, status: str) -> None:
    """Each alone, so that it is what a playlist begins with, and all that do not overlap in one flow."""
    together, init_id = world.make_flow(mp4(VIDEO, {}, status=status)), initialised(world)
    ids = [world.make_flow(mp4(VIDEO, {}, status=status)) for _ in TIMES]
    for id_, (timerange, ts_offset) in zip(ids, TIMES, strict=True):
        clock = {} if ts_offset is None else {"ts_offset": ts_offset}
        assert add(world, id_, timerange, init_object_id=init_id, **clock) == []
        add(world, together, timerange, init_object_id=init_id, **clock)
        assert play(world, id_) > 0, timerange
    assert play(world, together) > 0
    assert play(world, collecting(world, [together, *ids])) > 0


def test_odd_collections(world: World) -> None:
    """Of a thousand flows, of itself, and of flows of which the media, the init objects or all URLs are missing."""
    ids = [world.make_flow(flow(status="closed_complete")) for _ in range(4)]
    lost = mp4(VIDEO, {}, status="closed_complete")
    ids.append(world.make_flow(lost))
    assert add(world, ids[0], f"[{TODAY}:0_{TODAY + 2}:0)") == []
    unlisted = {"object_id": fresh(), "timerange": f"[{TODAY}:0_{TODAY + 2}:0)", "get_urls": []}
    world.register(ids[1], unlisted)
    world.allocate(ids[2], pending := fresh(), content=None)
    assert world.register(ids[2], {"object_id": pending, "timerange": f"[{TODAY}:0_{TODAY + 2}:0)"}) == []
    world.register(ids[4], {"object_id": fresh(), "timerange": f"[{TODAY}:0_{TODAY + 2}:0)", "init_object_id": fresh()})
    for id_ in ids:
        play(world, id_)
    round_ = collecting(world, ids)
    other = collecting(world, [round_])
    world.set_collection(round_, other, *ids)
    assert play(world, round_) > 0
    many = [world.make_flow(flow(status="closed_complete")) for _ in range(120)]
    world.set_collection(other, round_, *many, *ids)
    assert play(world, other) > 0
