"""MPEG-TS with several essences in a file, with sound before the pictures, and across the wrap of its clock."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from tests.conformance.kit.documents import AUDIO, MULTI, VIDEO, Json, flow

from .demo import clip as clips
from .demo import decoding, sound
from .demo.client import Tams
from .demo.timeline import SECOND, Span, in_ns, parse_span
from .ingest import Fetched, fetch, segment, store, upload
from .media import transport_stream
from .media.transport_stream import Muxed

EVER = Span(-3600 * SECOND, 3600 * SECOND)
FRAME = SECOND // clips.FRAME_RATE
PICTURES = 3 * clips.GOP


def ready(found: Sequence[Fetched], *, whole: bool = False) -> list[decoding.DownloadedSegment]:
    """What was fetched, ready for decoding. whole: with all that the objects hold, not only within the segments."""
    return [
        decoding.DownloadedSegment(each.media, EVER if whole else parse_span(each.segment["timerange"]), each.ts_offset)
        for each in found
    ]


def assert_pictures(found: Sequence[decoding.DownloadedSegment], requested: Span, numbers: range) -> None:
    """Assert that the segments hold these pictures of the clip in the timerange, each at its time."""
    pictures = decoding.decode_video(found, requested)
    assert [picture.number for picture in pictures] == list(numbers)
    assert [picture.time for picture in pictures] == [number * FRAME for number in numbers]


def assert_sound(found: Sequence[decoding.DownloadedSegment], requested: Span, lead: int = 0) -> None:
    """Assert that the segments hold the sound of the clip in the timerange, `lead` samples early, to the sample."""
    heard = decoding.decode_audio(found, requested)
    assert heard.start == requested.start * sound.RATE // SECOND
    assert heard.samples.shape[1] == (requested.end - requested.start) * sound.RATE // SECOND
    assert sound.wrong_pitches(heard.samples, heard.start + lead) == []
    assert sound.lag_in_samples(heard.samples, heard.start + lead) == 0


def store_shared(service: Tams, files: Sequence[Muxed], start: int) -> tuple[Json, Json]:
    """Store each file as one object that a video flow and an audio flow share. start: of the sound that is used."""
    video, audio = flow(VIDEO, container=transport_stream.TYPE), flow(AUDIO, container=transport_stream.TYPE)
    segments = [segment(file.video, file.object_span, file.ts_offset, key_frame_count=1) for file in files]
    ids = store(service, video, [file.media for file in files], segments)
    service.put_flow(audio)
    used = [file.audio.overlap(Span(start, EVER.end)) for file in files]
    heard = [segment(span, ts_offset=file.ts_offset) for span, file in zip(used, files, strict=True)]
    service.register(audio["id"], [{"object_id": id_, **each} for id_, each in zip(ids, heard, strict=True)])
    return video, audio


def test_flows_that_share_muxed_objects_are_read_exactly(service: Tams, clip: clips.Clip) -> None:
    files = transport_stream.mux_clip(clip, PICTURES)
    video, audio = store_shared(service, files, 0)
    requested = Span(1_500_000_000, 4_500_000_000)
    pictures, heard = fetch(service, video["id"], requested), fetch(service, audio["id"], requested)
    assert [each.media for each in pictures] == [file.media for file in files]
    assert [each.segment["object_id"] for each in pictures] == [each.segment["object_id"] for each in heard]
    assert_pictures(ready(pictures), requested, range(38, 113))
    assert_sound(ready(heard), requested)


def test_a_multi_flow_has_the_muxed_segments_and_their_container(service: Tams, clip: clips.Clip) -> None:
    files = transport_stream.mux_clip(clip, PICTURES)
    video, audio = flow(VIDEO, container=None), flow(AUDIO, container=None)
    for member in (video, audio):
        service.put_flow(member)
    pids = [{"mp2ts_container": {"pid": pid}} for pid in (256, 257)]
    members = [{"id": each["id"], "container_mapping": pid} for each, pid in zip((video, audio), pids, strict=True)]
    multi = flow(MULTI, container=transport_stream.TYPE, flow_collection=members)
    service.put_flow(multi)
    assert service.get(f"/flows/{multi['id']}")["container"] == transport_stream.TYPE
    ids = upload(service, multi["id"], [file.media for file in files])
    segments = [segment(file.video, file.object_span, file.ts_offset) for file in files]
    service.register(multi["id"], [{"object_id": id_, **each} for id_, each in zip(ids, segments, strict=True)])
    found = fetch(service, multi["id"], "[2:0_5:0)")
    assert [each.media for each in found] == [file.media for file in files[1:]]
    assert_pictures(ready(found), Span(2 * SECOND, 5 * SECOND), range(50, 125))
    # The segments are as long as the pictures in them. Coded frames of sound do not end there, and are used whole.
    assert_sound(ready(found, whole=True), Span(3 * SECOND, 5 * SECOND))
    assert service.get(f"/flows/{multi['id']}")["flow_collection"] == members


def test_sound_that_begins_before_the_pictures_keeps_its_time(service: Tams, clip: clips.Clip) -> None:
    """The sound starts half a second before the first picture, which is at 0: at a negative time."""
    files = transport_stream.mux_clip(clip, PICTURES, Fraction(1, 2))
    video, audio = store_shared(service, files, -SECOND // 2)
    assert files[0].object_span.start + files[0].ts_offset < -SECOND // 2
    timeranges = [service.get(f"/flows/{each['id']}", include_timerange="true")["timerange"] for each in (video, audio)]
    assert timeranges == ["[0:0_6:0)", f"[-0:500000000_{str(files[-1].audio).rpartition('_')[2]}"]
    before = Span(-SECOND // 2, 0)
    assert fetch(service, video["id"], before) == []
    assert_sound(ready(fetch(service, audio["id"], before)), before, lead=sound.RATE // 2)
    across = Span(-SECOND // 4, 3 * SECOND)
    assert_pictures(ready(fetch(service, video["id"], across)), across, range(75))
    assert_sound(ready(fetch(service, audio["id"], across)), across, lead=sound.RATE // 2)


def test_pictures_go_on_across_the_wrap_of_the_clock(service: Tams, clip: clips.Clip) -> None:
    """The 33 bits of the clock of MPEG-TS wrap in the middle of the second file; the flow's timeline goes on."""
    files = transport_stream.wrap_video(clip, 3, transport_stream.WRAP - 3 * 90_000)
    written = [transport_stream.written_times(file.media) for file in files]
    assert [max(times) - min(times) > transport_stream.WRAP // 2 for times in written] == [False, True, False]
    document = flow(VIDEO, container=transport_stream.TYPE)
    segments = [segment(file.video, file.object_span, file.ts_offset) for file in files]
    store(service, document, [file.media for file in files], segments)
    found = fetch(service, document["id"])
    assert [each.media for each in found] == [file.media for file in files]
    assert all(one.span.end == other.span.start for one, other in pairwise(ready(found)))
    wrap = in_ns(transport_stream.WRAP, Fraction(1, 90_000))
    assert [each.ts_offset for each in found] == [3 * SECOND - wrap, 3 * SECOND - wrap, 3 * SECOND]
    shown = [picture for each in found for picture in decode_unwrapped(each)]
    assert [picture.number for picture in shown] == list(range(PICTURES))
    assert [picture.time for picture in shown] == [number * FRAME for number in range(PICTURES)]
    assert [each.media for each in fetch(service, document["id"], "[2:960000000_3:40000000)")] == [files[1].media]


def decode_unwrapped(found: Fetched) -> list[decoding.Picture]:
    """The pictures of a segment. FFmpeg shows times around the wrap as it likes: as negative, or beyond the wrap."""
    wrap = in_ns(transport_stream.WRAP, Fraction(1, 90_000))
    span, object_span = parse_span(found.segment["timerange"]), parse_span(found.segment["object_timerange"])
    for turns in (0, 1):
        offset = found.ts_offset + turns * wrap
        piece = decoding.DownloadedSegment(found.media, EVER, offset)
        pictures = decoding.decode_video([piece], EVER)
        if pictures and abs(pictures[0].time - span.start) <= 1:
            assert object_span.shifted(found.ts_offset) == span
            return [decoding.Picture(round(each.time / FRAME) * FRAME, each.number) for each in pictures]
    raise AssertionError(f"no picture of {span} is at its time")
