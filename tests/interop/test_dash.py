"""F19: a DASH manifest presents each picture in its place, and FFmpeg plays it with its default options."""

import io
import shutil
import subprocess
from fractions import Fraction

import av
import httpx
import pytest

from tests.playback.dash_rules import Manifest, Track, read_manifest

from .demo.client import Tams
from .demo.timeline import Span, in_ns
from .ingest import segment, upload
from .media import fragmented_mp4, numbered
from .test_kinds import FRAME, FRAMES, GOP, START, ntsc_flow, store_fragments
from .test_playback import COMPLETE

FFMPEG = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs the command ffmpeg; PyAV has no demuxer of DASH")


def manifest_of(service: Tams, path: str) -> Manifest:
    return read_manifest(service.api.get(f"{path}/output.mpd").raise_for_status().text)


def presented(track: Track) -> list[tuple[int, Fraction]]:
    """The number of each picture, and when it is shown, in seconds of the presentation."""
    assert track.init_url is not None
    init = httpx.get(track.init_url).raise_for_status().content
    found = []
    for piece in track.pieces:
        headers = (
            {} if piece.byte_range is None else {"Range": f"bytes={piece.byte_range[0]}-{piece.byte_range[1] - 1}"}
        )
        media = httpx.get(piece.url, headers=headers).raise_for_status().content
        for number, time in numbered.decoded(init + media, "mp4"):
            found.append((number, time - piece.media_start + piece.start))
    return found


def in_place(found: list[tuple[int, Fraction]], first: int = 0) -> bool:
    """Whether each picture is shown at its time, to half a tick of the timescale and a nanosecond."""
    return all(abs(time - (number - first) * FRAME) < Fraction(1, 30_000) for number, time in found)


def test_each_picture_has_its_place(service: Tams) -> None:
    document = {**ntsc_flow(), **COMPLETE}
    store_fragments(service, document)
    found = manifest_of(service, f"/flows/{document['id']}")
    [track] = found.periods[0].tracks
    shown = presented(track)
    assert [number for number, _ in shown] == list(range(FRAMES))
    assert in_place(shown)
    with av.open(io.BytesIO(httpx.get(track.init_url or "").content), "r", format="mp4") as init:
        time_base = init.streams.video[0].time_base
    assert time_base == Fraction(1, track.ticks)
    assert track.attributes["codecs"].startswith("avc1.")


def test_parts_of_an_object_have_their_place(service: Tams) -> None:
    """The pictures 10 to 29, and from 50 on, of one object."""
    init, fragments = fragmented_mp4.make(FRAMES, GOP)
    document = {**ntsc_flow(), **COMPLETE}
    flow_id = str(document["id"])
    service.put_flow(document)
    [init_id] = upload(service, flow_id, [init], fragmented_mp4.INIT_TYPE)
    [object_id] = upload(service, flow_id, [b"".join(fragments)])
    lead = in_ns(1, min(time for _, time in numbered.decoded(init + fragments[0], "mp4")))
    whole = Span(lead, lead + in_ns(FRAMES, FRAME))
    items = []
    for begin, end in ((10, 30), (50, FRAMES)):
        span = Span(START + in_ns(begin, FRAME), START + in_ns(end, FRAME))
        items.append({"object_id": object_id, "init_object_id": init_id, **segment(span, whole, START - lead)})
    service.register(flow_id, items)
    found = manifest_of(service, f"/flows/{flow_id}")
    first, second = (presented(period.tracks[0]) for period in found.periods)
    assert [number for number, _ in first] == list(range(10, 30))
    assert [number for number, _ in second] == list(range(50, FRAMES))
    assert in_place(first, 10)
    assert in_place(second, 30)
    assert "Left out" not in service.api.get(f"/flows/{flow_id}/output.mpd").text
    # From the middle of a fragment on.
    span = Span(START + in_ns(FRAMES + 5, FRAME), START + in_ns(FRAMES + 10, FRAME))
    inexact = segment(span, whole, START - lead + in_ns(FRAMES, FRAME))
    service.register(flow_id, [{"object_id": object_id, "init_object_id": init_id, **inexact}])
    text = service.api.get(f"/flows/{flow_id}/output.mpd?type=vod").text
    assert "<!-- Left out: 1 segments that use only a part of their object -->" in text


@FFMPEG
def test_the_ffmpeg_command_plays_a_flow(service: Tams) -> None:
    document = {**ntsc_flow(), **COMPLETE}
    store_fragments(service, document)
    assert len(decoded_by_ffmpeg(service, f"/flows/{document['id']}", "0:v")) == FRAMES


def decoded_by_ffmpeg(service: Tams, path: str, stream: str) -> list[str]:
    """A line for each picture or frame of sound."""
    url = f"{service.base_url}{path}/output.mpd?access_token={service.token}"
    command = ["ffmpeg", "-v", "error", "-i", url, "-map", stream, "-fps_mode", "passthrough", "-f", "framecrc", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if not line.startswith("#")]
