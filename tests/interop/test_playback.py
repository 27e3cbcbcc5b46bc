"""F19: FFmpeg, with its default options, plays flows by their URL and finds every picture and every sample."""

import threading
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from tests.conformance.kit.documents import AUDIO, VIDEO, flow
from tests.playback.rules import read_media_playlist, read_multivariant_playlist
from tests.servers.features import has_access_rules

from .demo import clip as clips
from .demo import flows, pattern, segmenting
from .demo.client import Tams
from .demo.timeline import SECOND, Span
from .ingest import segment, store, upload
from .media import numbered, transport_stream
from .media.transport_stream import Muxed
from .test_kinds import FRAME, FRAMES, ntsc_flow, store_fragments

PICTURES = 3 * clips.GOP
COMPLETE = {"status": "closed_complete"}


def url_of(service: Tams, flow_id: str, query: str = "") -> str:
    """The URL with which a player that sends no header plays a flow."""
    response = service.api.get(f"/flows/{flow_id}/output.m3u8?{query}").raise_for_status()
    read_media_playlist(response.text)
    return f"{service.base_url}/flows/{flow_id}/output.m3u8?access_token={service.token}&{query}"


def play(url: str) -> list[tuple[int, Fraction]]:
    """The number of each picture of the clip, and its time in seconds since the first."""
    with av.open(url) as media:
        found = []
        for frame in media.decode(video=0):
            assert frame.pts is not None and frame.time_base is not None
            plane = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
            found.append((pattern.read_number(plane), frame.pts * frame.time_base))
    return [(number, time - found[0][1]) for number, time in found]


def store_files(service: Tams, files: Sequence[Muxed], **members: object) -> tuple[str, list[str]]:
    """A flow with these files. Returns its id and those of the objects."""
    document = flow(VIDEO, container=transport_stream.TYPE, **members)
    segments = [segment(file.video, file.object_span, file.ts_offset) for file in files]
    return document["id"], store(service, document, [file.media for file in files], segments)


def at_25(numbers: Iterable[int]) -> list[tuple[int, Fraction]]:
    return [(number, Fraction(number, clips.FRAME_RATE)) for number in numbers]


def test_transport_streams_are_played_to_the_frame(service: Tams, clip: clips.Clip) -> None:
    flow_id, _ = store_files(service, transport_stream.mux_clip(clip, PICTURES), **COMPLETE)
    assert play(url_of(service, flow_id)) == at_25(range(PICTURES))


def test_a_timerange_is_played_in_whole_segments(service: Tams, clip: clips.Clip) -> None:
    flow_id, _ = store_files(service, transport_stream.mux_clip(clip, PICTURES))
    found = play(url_of(service, flow_id, "timerange=[2:0_4:0)"))
    assert [number for number, _ in found] == list(range(clips.GOP, 2 * clips.GOP))


def test_fragmented_mp4_at_29_97_is_played_to_the_frame(service: Tams) -> None:
    document = {**ntsc_flow(), **COMPLETE}
    store_fragments(service, document)
    with av.open(url_of(service, str(document["id"]))) as media:
        found = []
        for frame in media.decode(video=0):
            assert frame.pts is not None and frame.time_base is not None
            found.append((numbered.read(frame), frame.pts * frame.time_base))
    assert [number for number, _ in found] == list(range(FRAMES))
    assert all(abs(later - earlier - FRAME) < Fraction(1, 1000) for (_, earlier), (_, later) in pairwise(found))


def test_a_flow_with_a_gap_is_played_to_the_frame(service: Tams, clip: clips.Clip) -> None:
    first, _, last = transport_stream.mux_clip(clip, PICTURES)
    flow_id, _ = store_files(service, [first, last], **COMPLETE)
    expected = [*range(clips.GOP), *range(2 * clips.GOP, PICTURES)]
    assert play(url_of(service, flow_id)) == at_25(expected)


def test_a_cut_made_of_three_flows_is_played_to_the_frame(service: Tams, clip: clips.Clip) -> None:
    """Three recordings of one event; the cut takes the third part of the first, the first of the second, and so on."""
    files = transport_stream.mux_clip(clip, PICTURES)
    objects = [store_files(service, files)[1] for _ in range(3)]
    cut = flow(VIDEO, container=transport_stream.TYPE, **COMPLETE)
    service.put_flow(cut)
    order = (2, 0, 1)
    for place, (camera, part) in enumerate(zip(range(3), order, strict=True)):
        file, start = files[part], place * 2 * SECOND
        offset = file.ts_offset + start - file.video.start
        span = Span(start, start + file.video.end - file.video.start)
        service.register(cut["id"], [{"object_id": objects[camera][part], **segment(span, ts_offset=offset)}])
    found = play(url_of(service, cut["id"]))
    assert [number for number, _ in found] == [part * clips.GOP + n for part in order for n in range(clips.GOP)]


def test_a_live_ingest_is_played_while_it_grows(service: Tams, clip: clips.Clip) -> None:
    files = transport_stream.mux_clip(clip, 2 * PICTURES)
    document = flow(VIDEO, container=transport_stream.TYPE, status="ingesting")
    flow_id = document["id"]
    store(service, document, [files[0].media], [segment(files[0].video, files[0].object_span, files[0].ts_offset)])
    opened = threading.Event()

    def ingest() -> None:
        assert opened.wait(30)
        ids = upload(service, flow_id, [file.media for file in files[1:]])
        for id_, file in zip(ids, files[1:], strict=True):
            part = segment(file.video, file.object_span, file.ts_offset)
            service.register(flow_id, [{"object_id": id_, **part}])
        service.put_flow({**document, **COMPLETE})

    thread = threading.Thread(target=ingest)
    thread.start()
    found = []
    with av.open(url_of(service, flow_id, "type=event")) as media:
        for frame in media.decode(video=0):
            opened.set()
            found.append(pattern.read_number(np.asarray(frame.to_ndarray(format="gray"), np.uint8)))
    thread.join()
    assert found == list(range(2 * PICTURES))


def test_sound_and_pictures_of_two_playlists_are_in_sync(service: Tams, clip: clips.Clip) -> None:
    """What a player aligns are the timestamps in the media, less those of the first segment of the pictures."""
    files = transport_stream.mux_clip(clip, PICTURES)
    video_id, ids = store_files(service, files, **COMPLETE)
    sound = flow(AUDIO, container=transport_stream.TYPE, **COMPLETE)
    service.put_flow(sound)
    heard = [segment(file.audio, ts_offset=file.ts_offset) for file in files]
    service.register(sound["id"], [{"object_id": id_, **each} for id_, each in zip(ids, heard, strict=True)])
    with av.open(url_of(service, video_id)) as pictures, av.open(url_of(service, sound["id"])) as tone:
        first = next(pictures.decode(video=0))
        heard_first = next(tone.decode(audio=0))
    assert first.time is not None and heard_first.time is not None
    expected = (files[0].audio.start - files[0].video.start) / SECOND
    assert abs((heard_first.time - first.time) - expected) < 0.001


@pytest.mark.skipif(has_access_rules(), reason="players then send a header, and FFmpeg sends it to S3 too")
def test_the_demo_is_played_with_its_sound(
    service: Tams, video: segmenting.Essence, audio: segmenting.Essence, clip: clips.Clip
) -> None:
    """Pictures and sound are separate flows, of which a multi flow makes a programme."""
    documents = [{**flows.video_flow(video), **COMPLETE}, {**flows.audio_flow(audio), **COMPLETE}]
    for document, essence in zip(documents, (video, audio), strict=True):
        parts = [segment(piece.span, piece.object_span, piece.ts_offset) for piece in essence.pieces]
        store(service, document, [piece.media for piece in essence.pieces], parts)
    multi = flows.multi_flow(*documents)
    service.put_flow(multi)
    path = f"/flows/{multi['id']}/output.m3u8"
    found = read_multivariant_playlist(service.api.get(path).raise_for_status().text)
    assert found.comments == []
    assert found.variants[0]["CODECS"] == "avc1.64001f,mp4a.40.2"
    with av.open(f"{service.base_url}{path}?access_token={service.token}") as media:
        numbers, times, heard = [], [], []
        for frame in media.decode(media.streams.video[0], media.streams.audio[0]):
            assert isinstance(frame, av.VideoFrame | av.AudioFrame) and frame.time is not None
            if isinstance(frame, av.VideoFrame):
                numbers.append(pattern.read_number(np.asarray(frame.to_ndarray(format="gray"), np.uint8)))
                times.append(frame.time)
            else:
                heard.append((frame.time, frame.samples))
    assert numbers == list(range(clip.frames))
    # Each file of the demo counts from the same time again, which is why there are discontinuities.
    first = times[0]
    places = [Fraction(number % clips.GOP, clips.FRAME_RATE) for number in numbers]
    assert all(abs(time - first - place) < 0.001 for time, place in zip(times, places, strict=True))
    # The sound begins with the frame that its encoder puts before the first sample.
    lead = (audio.pieces[0].object_span.start + audio.pieces[0].ts_offset) / SECOND
    assert abs(heard[0][0] - first - lead) < 0.001
    assert abs(sum(samples for _, samples in heard) / 48_000 - clip.seconds) < 0.1
