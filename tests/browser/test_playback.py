"""F19: hls.js in Chromium plays flows by their URL, with each picture at its time, from a folder and from S3 (CORS)."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.conformance.kit.documents import VIDEO, flow
from tests.interop.demo import clip as clips
from tests.interop.demo import flows, segmenting
from tests.interop.demo.client import Tams
from tests.interop.demo.timeline import SECOND, Span, in_ns
from tests.interop.ingest import segment, store, upload
from tests.interop.media import fragmented_mp4, transport_stream
from tests.interop.test_kinds import FRAME, FRAMES, GOP, START, ntsc_flow, store_fragments
from tests.interop.test_playback import COMPLETE, store_files

from .player import NUMBERED, PATTERN, Player, Record, Squares
from .waiting import wait_until

_EXACT_S = 0.001
"""Of a time. A picture lasts 33 ms."""
_SOUND_S = 0.05
"""Two coded frames of sound, by which hls.js may move what follows a cut when sound is in the same file."""
_FAST = 4
LIVE_GOP = 15
_LIVE_SEGMENTS, _LIVE_SEGMENTS_FIRST = 30, 18
_LISTED = 20
"""In a window of ten seconds."""
_GROUPS = 3
_PICTURES = _GROUPS * clips.GOP
_TICK = 1 / clips.FRAME_RATE


def play(player: Player, service: Tams, path: str, squares: Squares, speed: float = _FAST) -> Record:
    return player.play_to_the_end(f"{service.base_url}{path}/output.m3u8", service.token, squares, speed)


def check_pictures(player: Player, record: Record, parts: Sequence[range], frame: float, segment: int) -> None:
    """Check that pictures with these numbers were shown one after the other, each for `frame` seconds.

    parts: the numbers between discontinuities.
    segment: the number of pictures in each segment; the first and the last of each are looked at one by one.
    """
    begins = {each["cc"]: each["times"]["video"][0] for each in reversed(record.fragments) if each["type"] == "main"}
    assert sorted(begins) == list(range(len(parts)))
    times = record.times
    assert set(times) <= {number for part in parts for number in part}
    before = 0
    for cc, part in enumerate(parts):
        assert abs(begins[cc] - begins[0] - before * frame) < _SOUND_S
        exact = {number: pytest.approx(begins[cc] + place * frame, abs=_EXACT_S) for place, number in enumerate(part)}
        assert {number: time for number, time in times.items() if number in part} == {
            number: exact[number] for number in times if number in part
        }
        for place in [*range(0, len(part), segment), *range(segment - 1, len(part), segment)]:
            number, time = player.seek(begins[cc] + (place + 0.5) * frame)
            assert number == part[place]
            assert time == exact[part[place]]
        before += len(part)


def live_segments(service: Tams, document: dict[str, Any], count: int, begin: int = START) -> Iterator[None]:
    """Add segments of half a second to a flow, one each time that the iterator is advanced. begin: in ns."""
    init, fragments = fragmented_mp4.make(count * LIVE_GOP, LIVE_GOP)
    flow_id = document["id"]
    service.put_flow(document)
    [init_id] = upload(service, flow_id, [init], fragmented_mp4.INIT_TYPE)
    for number, object_id in enumerate(upload(service, flow_id, fragments)):
        span = Span(*(begin + in_ns(place * LIVE_GOP, FRAME) for place in (number, number + 1)))
        part = segment(span, span.shifted(in_ns(1, FRAME) - begin), begin - in_ns(1, FRAME))
        service.register(flow_id, [{"object_id": object_id, "init_object_id": init_id, **part}])
        yield


def test_fragmented_mp4_at_29_97_is_played_to_the_picture(player: Player, service: Tams) -> None:
    document = {**ntsc_flow(), **COMPLETE}
    store_fragments(service, document)
    record = play(player, service, f"/flows/{document['id']}", NUMBERED, speed=1)
    check_pictures(player, record, [range(FRAMES)], float(FRAME), GOP)


def test_transport_streams_are_played_to_the_picture(player: Player, service: Tams, clip: clips.Clip) -> None:
    flow_id, _ = store_files(service, transport_stream.mux_clip(clip, _PICTURES), **COMPLETE)
    record = play(player, service, f"/flows/{flow_id}", PATTERN)
    check_pictures(player, record, [range(_PICTURES)], _TICK, clips.GOP)
    assert record.audioBytes > 0


def test_a_flow_with_a_gap_is_played_to_the_picture(player: Player, service: Tams, clip: clips.Clip) -> None:
    first, _, last = transport_stream.mux_clip(clip, _PICTURES)
    flow_id, _ = store_files(service, [first, last], **COMPLETE)
    record = play(player, service, f"/flows/{flow_id}", PATTERN)
    check_pictures(player, record, [range(clips.GOP), range(2 * clips.GOP, _PICTURES)], _TICK, clips.GOP)


def test_a_cut_made_of_three_flows_is_played_to_the_picture(player: Player, service: Tams, clip: clips.Clip) -> None:
    files = transport_stream.mux_clip(clip, _PICTURES)
    objects = [store_files(service, files)[1] for _ in range(3)]
    cut = flow(VIDEO, container=transport_stream.TYPE, **COMPLETE)
    service.put_flow(cut)
    order = (2, 0, 1)
    for place, (camera, part) in enumerate(zip(range(3), order, strict=True)):
        file, start = files[part], place * clips.SEGMENT_SECONDS * SECOND
        span = Span(start, start + file.video.end - file.video.start)
        found = segment(span, ts_offset=file.ts_offset + start - file.video.start)
        service.register(cut["id"], [{"object_id": objects[camera][part], **found}])
    record = play(player, service, f"/flows/{cut['id']}", PATTERN)
    check_pictures(player, record, [range(2 * clips.GOP, _PICTURES), range(2 * clips.GOP)], _TICK, clips.GOP)


def test_a_programme_is_played_with_its_sound_in_sync(player: Player, service: Tams, clip: clips.Clip) -> None:
    """Pictures and sound are flows of their own, whose segments do not begin together."""
    whole = segmenting.cut_video(clip), segmenting.cut_audio(clip)
    video, audio = (segmenting.Essence(each.pieces[:_GROUPS], each.decoder_config) for each in whole)
    documents = [{**flows.video_flow(video), **COMPLETE}, {**flows.audio_flow(audio), **COMPLETE}]
    for document, essence in zip(documents, (video, audio), strict=True):
        parts = [segment(piece.span, piece.object_span, piece.ts_offset) for piece in essence.pieces]
        store(service, document, [piece.media for piece in essence.pieces], parts)
    multi = flows.multi_flow(*documents)
    service.put_flow(multi)
    record = play(player, service, f"/flows/{multi['id']}", PATTERN)
    groups = [range(start, start + clips.GOP) for start in range(0, _PICTURES, clips.GOP)]
    check_pictures(player, record, groups, _TICK, clips.GOP)
    assert record.audioBytes > 0
    # Ends are compared, as hls.js puts silence before sound that begins after the pictures.
    ends = [
        {each["sn"]: each["times"][kind][1] for each in record.fragments if each["type"] == type_}
        for kind, type_ in (("video", "main"), ("audio", "audio"))
    ]
    expected = [
        (sound.object_span.end + sound.ts_offset - picture.object_span.end - picture.ts_offset) / SECOND
        for picture, sound in zip(video.pieces, audio.pieces, strict=True)
    ]
    assert [ends[1][number] - ends[0][number] for number in sorted(ends[0])] == pytest.approx(expected, abs=_EXACT_S)


@pytest.mark.parametrize("stores", ["files"], indirect=True)
def test_a_live_ingest_is_played_while_it_grows_and_its_window_slides(player: Player, service: Tams) -> None:
    document = {**ntsc_flow(), "status": "ingesting", "segment_duration": {"numerator": 1, "denominator": 2}}
    add = live_segments(service, document, _LIVE_SEGMENTS)
    for _ in range(_LIVE_SEGMENTS_FIRST):
        next(add)
    player.start(f"{service.base_url}/flows/{document['id']}/output.m3u8?window=10", service.token, NUMBERED, speed=2)
    wait_until(lambda: len(player.record().frames) > 0, player.page)
    for _ in add:
        player.page.wait_for_timeout(200)
    service.put_flow({**document, **COMPLETE})
    wait_until(lambda: player.record().ended or bool(player.record().failures), player.page, 30)
    record = player.record()
    assert not record.failures, record.failures
    first, last = record.firstNumbers[0], record.firstNumbers[-1]
    assert (last - first, list(record.firstNumbers)) == (_LIVE_SEGMENTS - _LISTED, sorted(record.firstNumbers))
    played = [each["sn"] for each in record.fragments]
    assert played == list(range(played[0], first + _LIVE_SEGMENTS))
    times = record.times
    joined = (played[0] - first) * LIVE_GOP
    begin = record.fragments[0]["times"]["video"][0]
    exact = {
        number: pytest.approx(begin + (number - joined) * float(FRAME), abs=_EXACT_S)
        for number in range(joined, _LIVE_SEGMENTS * LIVE_GOP)
    }
    assert times == {number: time for number, time in exact.items() if number in times}
    assert max(times) >= (_LIVE_SEGMENTS - 1) * LIVE_GOP
