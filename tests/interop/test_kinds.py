"""Real media of every kind, stored in a folder or on S3 and read back to the frame, the sample or the byte."""

from itertools import pairwise

import numpy as np

from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, VIDEO, flow

from .demo.client import Tams, media_url
from .demo.timeline import SECOND, Span, first_sample, in_ns, parse_span
from .ingest import fetch, segment, store, upload
from .media import fragmented_mp4, jpeg, numbered, wav, webvtt

FRAME = 1 / fragmented_mp4.NTSC
GOP, FRAMES = 10, 65
START = 1_800_000_000 * SECOND
"""Of the flows, in ns: no medium has such times in itself."""


def ntsc_flow() -> dict[str, object]:
    essence = {"frame_rate": {"numerator": 30000, "denominator": 1001}, "init_segments": True}
    essence |= {"frame_width": numbered.WIDTH, "frame_height": numbered.HEIGHT}
    return flow(VIDEO, container=fragmented_mp4.MEDIA_TYPE, essence_parameters=essence)


def store_fragments(service: Tams, document: dict[str, object]) -> list[bytes]:
    """Store numbered pictures as fragmented MP4, and return the media segments. Picture 0 is at START."""
    init, fragments = fragmented_mp4.make(FRAMES, GOP)
    flow_id = str(document["id"])
    service.put_flow(document)
    [init_id] = upload(service, flow_id, [init], fragmented_mp4.INIT_TYPE)
    ids = upload(service, flow_id, fragments)
    segments = []
    for number, (object_id, fragment) in enumerate(zip(ids, fragments, strict=True)):
        pictures = list(numbered.decoded(init + fragment, "mp4"))
        first, last = number * GOP, min((number + 1) * GOP, FRAMES)
        assert [shown for shown, _ in pictures] == list(range(first, last))
        span = Span(START + in_ns(first, FRAME), START + in_ns(last, FRAME))
        offset = span.start - in_ns(1, min(time for _, time in pictures))
        members = segment(span, span.shifted(-offset), offset, key_frame_count=1)
        segments.append({"object_id": object_id, "init_object_id": init_id, **members})
    service.register(flow_id, segments)
    return fragments


def test_fragmented_mp4_at_29_97_frames_a_second_is_frame_exact(service: Tams) -> None:
    document = ntsc_flow()
    fragments = store_fragments(service, document)
    first, last = 12, 37
    requested = Span(START + in_ns(first, FRAME), START + in_ns(last, FRAME))
    found = fetch(service, str(document["id"]), requested)
    assert [each.media for each in found] == fragments[1:4]
    pictures = [
        (number, in_ns(1, time) + each.ts_offset)
        for each in found
        for number, time in numbered.decoded(each.init + each.media, "mp4")
    ]
    shown = [(number, time) for number, time in pictures if requested.start - 1 <= time < requested.end - 1]
    assert [number for number, _ in shown] == list(range(first, last))
    assert all(abs(time - START - in_ns(number, FRAME)) <= 1 for number, time in shown)


def test_segments_of_frames_that_last_no_whole_nanoseconds_leave_no_gap(service: Tams) -> None:
    document = ntsc_flow()
    store_fragments(service, document)
    spans = [parse_span(each.segment["timerange"]) for each in fetch(service, str(document["id"]))]
    assert all(one.end == other.start for one, other in pairwise(spans))
    assert Span(spans[0].start, spans[-1].end) == Span(START, START + in_ns(FRAMES, FRAME))
    at_a_cut = fetch(service, str(document["id"]), f"[{spans[1].start // SECOND}:{spans[1].start % SECOND}]")
    assert [each.segment["timerange"] for each in at_a_cut] == [str(spans[1])]


def test_one_init_object_serves_all_segments_and_has_its_own_type(service: Tams) -> None:
    document = ntsc_flow()
    store_fragments(service, document)
    found = fetch(service, str(document["id"]))
    assert len({each.segment["init_object"]["object_id"] for each in found}) == 1
    init, media = found[0].segment["init_object"], found[0].segment
    assert service.headers(media_url(init))["content-type"] == fragmented_mp4.INIT_TYPE
    assert service.headers(media_url(media))["content-type"] == fragmented_mp4.MEDIA_TYPE


def test_pcm_in_wav_is_sample_exact(service: Tams) -> None:
    """Cut at every fifth frame of 29.97 a second, as broadcasters do: 8008 samples, which last no whole nanoseconds."""
    essence = {"sample_rate": wav.RATE, "channels": wav.CHANNELS, "bit_depth": wav.BITS}
    essence["unc_parameters"] = {"unc_type": "interleaved"}  # type: ignore[assignment]
    document = flow(AUDIO, codec="audio/x-raw-int", container=wav.TYPE, essence_parameters=essence)
    cut, count = 8008, 6
    samples = wav.noise(cut * count)
    files = [wav.make(samples[at : at + cut]) for at in range(0, len(samples), cut)]
    spans = [Span(wav.time_of(at), wav.time_of(at + cut)) for at in range(0, len(samples), cut)]
    store(service, document, files, [segment(span, ts_offset=span.start) for span in spans])
    requested = Span(wav.time_of(10_000), wav.time_of(30_000))
    found = fetch(service, document["id"], requested)
    assert [each.media for each in found] == files[1:4]
    start = first_sample(found[0].ts_offset, wav.RATE)
    heard = np.concatenate([wav.read(each.media) for each in found])
    assert start == cut
    assert np.array_equal(heard[10_000 - start : 30_000 - start], samples[10_000:30_000])


def test_webvtt_keeps_every_cue_and_its_time(service: Tams) -> None:
    document = flow(DATA, codec=webvtt.TYPE, container=webvtt.TYPE)
    cues = [
        [webvtt.Cue(0, 1500, "First"), webvtt.Cue(1500, 3999, "<i>Second</i>\nin two lines")],
        [webvtt.Cue(250, 750, "Žluťoučký kůň – 日本語")],
    ]
    files = [webvtt.make(each) for each in cues]
    # No subtitle between 4 s and 10 s: a gap.
    spans = [Span(0, 4 * SECOND), Span(10 * SECOND, 14 * SECOND)]
    store(service, document, files, [segment(span, ts_offset=span.start) for span in spans])
    found = fetch(service, document["id"])
    assert [each.media for each in found] == files
    assert [webvtt.read(each.media) for each in found] == cues
    assert [each.ts_offset for each in found] == [0, 10 * SECOND]
    assert fetch(service, document["id"], "[4:0_10:0)") == []
    assert service.headers(media_url(found[0].segment))["content-type"].startswith(webvtt.TYPE)


def test_a_jpeg_is_at_an_instant(service: Tams) -> None:
    essence = {"frame_width": numbered.WIDTH, "frame_height": numbered.HEIGHT}
    document = flow(IMAGE, container=jpeg.TYPE, essence_parameters=essence)
    numbers = {10: 777, 20: 65_535}
    files = [jpeg.make(number) for number in numbers.values()]
    store(service, document, files, [segment(f"[{at}:0]", ts_offset=at * SECOND) for at in numbers])
    found = fetch(service, document["id"])
    assert [each.media for each in found] == files
    assert [jpeg.read(each.media) for each in found] == list(numbers.values())
    assert [each.segment["timerange"] for each in found] == ["[10:0]", "[20:0]"]
    for timerange, count in {"[10:0]": 1, "[0:0_10:0)": 0, "[0:0_10:0]": 1, "(10:0_20:0)": 0, "10:0_": 2}.items():
        assert len(fetch(service, document["id"], timerange)) == count, timerange
    assert service.get(f"/flows/{document['id']}", include_timerange="true")["timerange"] == "[10:0_20:0]"


def test_times_far_from_zero_keep_their_nanoseconds(service: Tams) -> None:
    """A picture near the end of 64 bits of nanoseconds, in the year 2262."""
    at = (1 << 63) - 2 * SECOND + 7
    document = flow(IMAGE, container=jpeg.TYPE)
    text = f"[{at // SECOND}:{at % SECOND}]"
    store(service, document, [jpeg.make(1)], [segment(text, ts_offset=at)])
    [found] = fetch(service, document["id"], text)
    assert (found.segment["timerange"], found.ts_offset) == (text, at)
