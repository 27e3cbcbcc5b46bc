"""FFmpeg, with its default options, plays a playlist that is made of get_urls.

It chooses a demuxer by the extension in the path of a URL, and rejects segments without a usual one.
"""

import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.conformance.kit.documents import VIDEO, flow

from .demo import clip as clips
from .demo import pattern
from .demo.client import Tams
from .ingest import fetch, segment, store
from .media import numbered, transport_stream
from .media.playlist import media_playlist, served
from .test_kinds import FRAMES, ntsc_flow, store_fragments

PICTURES = 3 * clips.GOP


def transport_stream_playlist(service: Tams, clip: clips.Clip) -> str:
    files = transport_stream.mux_clip(clip, PICTURES)
    document = flow(VIDEO, container=transport_stream.TYPE)
    segments = [segment(file.video, file.object_span, file.ts_offset) for file in files]
    store(service, document, [file.media for file in files], segments)
    return media_playlist([each.segment for each in fetch(service, document["id"])])


def test_ffmpeg_plays_transport_streams(service: Tams, clip: clips.Clip) -> None:
    with served(transport_stream_playlist(service, clip)) as url, av.open(url) as media:
        planes = [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in media.decode(video=0)]
    assert [pattern.read_number(plane) for plane in planes] == list(range(PICTURES))


def test_ffmpeg_plays_the_sound_of_transport_streams(service: Tams, clip: clips.Clip) -> None:
    with served(transport_stream_playlist(service, clip)) as url, av.open(url) as media:
        samples = sum(frame.samples for frame in media.decode(audio=0))
    assert abs(Fraction(samples, 48_000) - Fraction(PICTURES, clips.FRAME_RATE)) < Fraction(1, 20)


def test_ffmpeg_plays_fragmented_mp4(service: Tams) -> None:
    document = ntsc_flow()
    store_fragments(service, document)
    playlist = media_playlist([each.segment for each in fetch(service, str(document["id"]))])
    assert "#EXT-X-MAP" in playlist
    with served(playlist) as url, av.open(url) as media:
        assert [numbered.read(frame) for frame in media.decode(video=0)] == list(range(FRAMES))


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs the command ffmpeg; the tests above use its libraries")
def test_the_ffmpeg_command_plays_transport_streams(service: Tams, clip: clips.Clip) -> None:
    with served(transport_stream_playlist(service, clip)) as url:
        command = ["ffmpeg", "-v", "error", "-i", url, "-map", "0:v", "-f", "framecrc", "-"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert sum(not line.startswith("#") for line in done.stdout.splitlines()) == PICTURES
