"""F19: players read parts of objects: segments that use a part of one, and the key frames with which segments begin."""

import io
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import av
import httpx
import numpy as np

from tests.conformance.kit.documents import MULTI, VIDEO, flow
from tests.playback.rules import Playlist, Segment, read_media_playlist, read_multivariant_playlist
from tests.servers.features import has_access_rules

from .demo import clip as clips
from .demo import pattern
from .demo.client import Tams
from .demo.timeline import SECOND, Span, in_ns
from .ingest import segment, upload
from .media import fragmented_mp4, numbered, transport_stream
from .test_kinds import FRAME, FRAMES, GOP, ntsc_flow, store_fragments
from .test_playback import COMPLETE, at_25, play, store_files, url_of

PICTURES = 3 * clips.GOP


def one_file(clip: clips.Clip, *kinds: str) -> bytes:
    """The first groups of the clip in one transport stream, with streams of these kinds."""
    target = io.BytesIO()
    end = Fraction(PICTURES, clips.FRAME_RATE)
    with av.open(str(clip.path)) as source, av.open(target, "w", format="mpegts") as output:
        chosen = [each for each in source.streams if each.type in kinds]
        streams = {each.index: output.add_stream_from_template(each) for each in chosen}
        for packet in source.demux(chosen):
            if packet.pts is not None and packet.pts * packet.time_base < end:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    return target.getvalue()


def store_parts(service: Tams, media: bytes, spans: Iterable[Span]) -> tuple[str, Span]:
    """A flow of which each segment uses a part of one object, by the times of its pictures."""
    with av.open(io.BytesIO(media), "r", format="mpegts") as source:
        start = min(packet.pts * packet.time_base for packet in source.demux(video=0) if packet.pts is not None)
    whole = Span(in_ns(1, start), in_ns(1, start + Fraction(PICTURES, clips.FRAME_RATE)))
    document = flow(VIDEO, container=transport_stream.TYPE, **COMPLETE)
    service.put_flow(document)
    [object_id] = upload(service, document["id"], [media])
    items = [{"object_id": object_id, **segment(span, whole, -whole.start)} for span in spans]
    service.register(document["id"], items)
    return str(document["id"]), whole


def playlist_of(service: Tams, flow_id: str, query: str = "") -> Playlist:
    return read_media_playlist(service.api.get(f"/flows/{flow_id}/output.m3u8?{query}").raise_for_status().text)


def content(found: Segment) -> bytes:
    """The bytes that a player fetches of a segment."""
    assert found.byte_range is not None
    first, after = found.byte_range
    response = httpx.get(found.uri, headers={"Range": f"bytes={first}-{after - 1}"}).raise_for_status()
    assert response.status_code == 206
    assert len(response.content) == after - first
    init = b"" if found.map_uri is None else httpx.get(found.map_uri).raise_for_status().content
    return init + response.content


def pictures_of_clip(media: bytes) -> list[int]:
    with av.open(io.BytesIO(media), "r", format="mpegts") as source:
        return [
            pattern.read_number(np.asarray(each.to_ndarray(format="gray"), np.uint8)) for each in source.decode(video=0)
        ]


def test_parts_of_a_transport_stream_are_played_to_the_frame(service: Tams, clip: clips.Clip) -> None:
    spans = [Span(2 * n * SECOND, 2 * (n + 1) * SECOND) for n in range(3)]
    flow_id, _ = store_parts(service, one_file(clip, "video"), spans)
    found = playlist_of(service, flow_id)
    assert found.comments == []
    assert [pictures_of_clip(content(each)) for each in found.segments] == [
        list(range(n * clips.GOP, (n + 1) * clips.GOP)) for n in range(3)
    ]
    assert play(url_of(service, flow_id)) == at_25(range(PICTURES))


def test_a_cut_within_a_transport_stream_is_played_to_the_frame(service: Tams, clip: clips.Clip) -> None:
    """Only the middle is used."""
    flow_id, _ = store_parts(service, one_file(clip, "video"), [Span(2 * SECOND, 4 * SECOND)])
    assert [number for number, _ in play(url_of(service, flow_id))] == list(range(clips.GOP, 2 * clips.GOP))
    multi = flow(MULTI, flow_collection=[{"id": flow_id}])
    service.put_flow(multi)
    text = service.api.get(f"/flows/{multi['id']}/output.m3u8").raise_for_status().text
    assert len(read_multivariant_playlist(text).variants) == 1


def test_a_cut_that_no_bytes_have_is_a_gap(service: Tams, clip: clips.Clip) -> None:
    """It begins with a picture that is no key frame."""
    frame = SECOND // clips.FRAME_RATE
    spans = [Span(frame, 2 * SECOND), Span(2 * SECOND, 4 * SECOND - frame // 2), Span(4 * SECOND, 6 * SECOND)]
    flow_id, _ = store_parts(service, one_file(clip, "video"), spans)
    found = playlist_of(service, flow_id)
    assert [each.is_gap for each in found.segments] == [True, True, False]
    assert pictures_of_clip(content(found.segments[2])) == list(range(2 * clips.GOP, PICTURES))


def test_a_cut_through_the_sound_is_left_out(service: Tams, clip: clips.Clip) -> None:
    """The muxer writes sound earlier or later than the pictures with which it is heard."""
    spans = [Span(0, 2 * SECOND), Span(2 * SECOND, 4 * SECOND)]
    flow_id, _ = store_parts(service, one_file(clip, "video", "audio"), spans)
    assert service.api.get(f"/flows/{flow_id}/output.m3u8").status_code == 415


def test_a_part_has_exactly_its_sound(service: Tams, clip: clips.Clip) -> None:
    """Of files, one after another in one object, each of which has the sound of its pictures."""
    files = transport_stream.mux_clip(clip, PICTURES)
    flow_id, _ = store_parts(service, b"".join(each.media for each in files), [Span(2 * SECOND, 4 * SECOND)])
    [found] = playlist_of(service, flow_id).segments
    # Without the first packet, which names the service.
    assert content(found).startswith(files[1].media[188:])
    assert pictures_of_clip(content(found)) == list(range(clips.GOP, 2 * clips.GOP))
    with av.open(io.BytesIO(content(found)), "r", format="mpegts") as source:
        frames = [(each.pts, each.samples) for each in source.decode(audio=0)]
    with av.open(io.BytesIO(files[1].media), "r", format="mpegts") as source:
        expected = [(each.pts, each.samples) for each in source.decode(audio=0)]
    assert frames == expected


def test_parts_of_fragmented_mp4_are_played_to_the_frame(service: Tams) -> None:
    init, fragments = fragmented_mp4.make(FRAMES, GOP)
    document = {**ntsc_flow(), **COMPLETE}
    flow_id = str(document["id"])
    service.put_flow(document)
    [init_id] = upload(service, flow_id, [init], fragmented_mp4.INIT_TYPE)
    [object_id] = upload(service, flow_id, [b"".join(fragments)])
    starts = [in_ns(number, FRAME) for number in (0, 10, 30, FRAMES)]
    members = {"object_timerange": f"[0:0_{starts[-1] // SECOND}:{starts[-1] % SECOND})"}
    items = [
        {"object_id": object_id, "init_object_id": init_id, "timerange": str(Span(start, end)), **members}
        for start, end in pairwise(starts)
    ]
    service.register(flow_id, items)
    found = playlist_of(service, flow_id)
    shown = [[number for number, _ in numbered.decoded(content(each), "mp4")] for each in found.segments]
    assert shown == [list(range(10)), list(range(10, 30)), list(range(30, FRAMES))]
    with av.open(url_of(service, flow_id)) as media:
        assert [numbered.read(frame) for frame in media.decode(video=0)] == list(range(FRAMES))


def key_frames_of(service: Tams, flow_id: str) -> list[Segment]:
    """The segments of the playlist of key frames that a programme of a flow names.

    It is read without a credential, unless there are rules on classes.
    """
    multi = flow(MULTI, flow_collection=[{"id": flow_id}])
    service.put_flow(multi)
    response = service.api.get(f"/flows/{multi['id']}/output.m3u8").raise_for_status()
    [named] = read_multivariant_playlist(response.text).key_frames
    get = service.api.get if has_access_rules() else httpx.get
    found = read_media_playlist(get(response.url.join(named["URI"])).raise_for_status().text)
    assert "EXT-X-I-FRAMES-ONLY" in found.tags
    sizes = [each.byte_range[1] - each.byte_range[0] for each in found.segments if each.byte_range]
    rates = [size * 8 / each.duration for size, each in zip(sizes, found.segments, strict=True)]
    assert min(rates) <= int(named["BANDWIDTH"]) <= max(rates) + 1
    return found.segments


def test_key_frames_of_transport_streams_are_found(service: Tams, clip: clips.Clip) -> None:
    flow_id, _ = store_files(service, transport_stream.mux_clip(clip, PICTURES), **COMPLETE)
    found = key_frames_of(service, flow_id)
    assert [pictures_of_clip(content(each)) for each in found] == [[n * clips.GOP] for n in range(3)]
    assert [each.duration for each in found] == [2] * 3


def test_key_frames_of_fragmented_mp4_are_found(service: Tams) -> None:
    document = {**ntsc_flow(), **COMPLETE}
    store_fragments(service, document)
    found = key_frames_of(service, str(document["id"]))
    for number, each in enumerate(found):
        with av.open(io.BytesIO(content(each)), "r", format="mp4") as source:
            assert numbered.read(next(source.decode(video=0))) == number * GOP
    assert len(found) == -(-FRAMES // GOP)
