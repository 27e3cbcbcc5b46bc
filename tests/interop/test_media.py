"""The demo's media, without a server: every frame and sample is identifiable, and every cut is at its stated time."""

import io
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from .demo import clip as clips
from .demo import decoding, pattern, segmenting, sound
from .demo.steps import REQUESTED
from .demo.timeline import SECOND, Span, TimeFormatError, in_ns, parse_span, parse_timestamp, timestamp

EVER = Span(-SECOND, 3600 * SECOND)
Decode = Callable[[Iterable[decoding.DownloadedSegment], Span], object]
FRAME = SECOND // clips.FRAME_RATE
CODED_FRAME = Fraction(1024, sound.RATE)


def downloaded(essence: segmenting.Essence, requested: Span) -> list[decoding.DownloadedSegment]:
    touched = [piece for piece in essence.pieces if piece.span.overlaps(requested)]
    return [decoding.DownloadedSegment(piece.media, piece.span, piece.ts_offset) for piece in touched]


def packet_times(piece: segmenting.Piece) -> list[tuple[int, int]]:
    """The presentation and decoding times of each coded frame in a file, in ticks."""
    with av.open(io.BytesIO(piece.media), "r", format="mpegts") as media:
        return [(packet.pts or 0, packet.dts or 0) for packet in media.demux() if packet.size]


@pytest.mark.parametrize("number", [0, 1, 749, 43690, 65535])
def test_a_frame_number_reads_back_from_its_picture(number: int) -> None:
    assert pattern.read_number(pattern.draw(number)[: pattern.HEIGHT]) == number


def test_a_picture_without_squares_has_no_number() -> None:
    with pytest.raises(pattern.UnreadableFrame):
        pattern.read_number(np.full((pattern.HEIGHT, pattern.WIDTH), 128, np.uint8))


def test_a_number_too_large_for_the_squares_is_rejected() -> None:
    with pytest.raises(ValueError, match="65536"):
        pattern.draw(65536)


def test_neighbouring_frames_differ_outside_their_numbers() -> None:
    between = slice(240, 500)
    assert np.any(pattern.draw(8)[between] != pattern.draw(9)[between])


def test_every_decoded_frame_has_its_number_and_time(video: segmenting.Essence, clip: clips.Clip) -> None:
    pictures = decoding.decode_video(downloaded(video, EVER), EVER)
    assert [picture.number for picture in pictures] == list(range(clip.frames))
    assert [picture.time for picture in pictures] == [number * FRAME for number in range(clip.frames)]


def test_the_video_has_three_b_frames_in_a_row(video: segmenting.Essence) -> None:
    for piece in video.pieces:
        shown = [pts for pts, _ in packet_times(piece)]
        assert shown != sorted(shown)
        assert all(pts >= dts for pts, dts in packet_times(piece))
    with av.open(io.BytesIO(video.pieces[1].media), "r", format="mpegts") as media:
        kinds = "".join(PictureType(frame.pict_type).name for frame in media.decode(video=0))
    assert kinds.startswith("IBBBP")
    assert kinds.count("I") == 1


def test_video_is_cut_every_two_seconds_to_the_nanosecond(video: segmenting.Essence) -> None:
    assert [str(piece.span) for piece in video.pieces] == [f"[{at}:0_{at + 2}:0)" for at in range(0, 30, 2)]


def test_each_video_segment_decodes_by_itself(video: segmenting.Essence) -> None:
    for index, piece in enumerate(video.pieces):
        alone = decoding.decode_video([decoding.DownloadedSegment(piece.media, piece.span, piece.ts_offset)], EVER)
        assert [picture.number for picture in alone] == list(range(index * clips.GOP, (index + 1) * clips.GOP))


def test_audio_is_cut_at_the_coded_frame_nearest_to_each_video_cut(audio: segmenting.Essence) -> None:
    assert audio.pieces[0].span.start == 0
    assert audio.pieces[-1].span.end == 30 * SECOND
    for index, (one, other) in enumerate(pairwise(audio.pieces), start=1):
        assert one.span.end == other.span.start
        coded_frames = round(Fraction(one.span.end, SECOND) / CODED_FRAME)
        assert one.span.end == in_ns(coded_frames, CODED_FRAME)
        assert abs(one.span.end - index * 2 * SECOND) <= in_ns(1, CODED_FRAME / 2)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_ts_offset_maps_the_file_to_the_flow(kind: str, request: pytest.FixtureRequest) -> None:
    essence: segmenting.Essence = request.getfixturevalue(kind)
    for piece in essence.pieces:
        frame_spans = segmenting.frame_spans(piece.media)
        assert min(moment.start for moment in frame_spans) == piece.object_span.start
        assert max(moment.end for moment in frame_spans) == piece.object_span.end
        used = piece.span.shifted(-piece.ts_offset)
        assert used.overlap(piece.object_span) == used
    assert len({piece.ts_offset for piece in essence.pieces}) == len(essence.pieces)


def test_video_objects_hold_nothing_but_their_segment(video: segmenting.Essence) -> None:
    assert all(piece.object_span.shifted(piece.ts_offset) == piece.span for piece in video.pieces)


def test_encoder_priming_and_padding_lie_outside_the_segments(audio: segmenting.Essence) -> None:
    first, *between, last = audio.pieces
    assert first.object_span.shifted(first.ts_offset).start == -in_ns(1, CODED_FRAME)
    assert last.object_span.shifted(last.ts_offset).end == in_ns(1407, CODED_FRAME)
    assert all(piece.object_span.shifted(piece.ts_offset) == piece.span for piece in between)


def test_the_wanted_timerange_holds_frames_188_to_329(video: segmenting.Essence) -> None:
    pictures = decoding.decode_video(downloaded(video, REQUESTED), REQUESTED)
    assert [picture.number for picture in pictures] == list(range(188, 330))
    assert (pictures[0].time, pictures[-1].time) == (7_520_000_000, 13_160_000_000)


def test_the_wanted_timerange_holds_its_samples_in_tune_and_in_time(audio: segmenting.Essence) -> None:
    heard = decoding.decode_audio(downloaded(audio, REQUESTED), REQUESTED)
    assert (heard.start, heard.samples.shape) == (360_000, (2, 273_600))
    assert sound.wrong_pitches(heard.samples, heard.start) == []
    assert sound.lag_in_samples(heard.samples, heard.start) == 0


def test_segments_decode_to_the_exact_samples_of_the_clip(audio: segmenting.Essence, clip: clips.Clip) -> None:
    with av.open(str(clip.path)) as media:
        whole = np.concatenate([frame.to_ndarray() for frame in media.decode(audio=0)], axis=1)
    heard = decoding.decode_audio(downloaded(audio, EVER), EVER)
    assert (heard.start, heard.samples.shape[1]) == (0, clip.samples)
    assert np.array_equal(heard.samples, whole[:, : clip.samples])


def test_a_missing_audio_segment_is_detected(audio: segmenting.Essence) -> None:
    first, _, third, *_ = downloaded(audio, REQUESTED)
    with pytest.raises(decoding.Undecodable):
        decoding.decode_audio([first, third], REQUESTED)


@pytest.mark.parametrize(("kind", "decode"), [("video", decoding.decode_video), ("audio", decoding.decode_audio)])
def test_invalid_media_are_detected(kind: str, decode: Decode, request: pytest.FixtureRequest) -> None:
    piece = request.getfixturevalue(kind).pieces[0]
    with pytest.raises(decoding.Undecodable):
        decode([decoding.DownloadedSegment(bytes(len(piece.media)), piece.span, piece.ts_offset)], EVER)


def test_missing_sound_is_detected() -> None:
    with pytest.raises(decoding.Undecodable):
        decoding.decode_audio([], REQUESTED)


@pytest.mark.parametrize("lag", [-7, -1, 1, 20])
def test_late_or_early_sound_is_detected(lag: int) -> None:
    assert sound.lag_in_samples(sound.tone(100_000 - lag, 96_000), 100_000) == lag


def test_sound_of_the_wrong_step_is_detected() -> None:
    step = sound.RATE * sound.STEP_SECONDS
    assert sound.wrong_pitches(sound.tone(0, step), 0) == []
    assert len(sound.wrong_pitches(sound.tone(step, step), 0)) == 20


@pytest.mark.parametrize(
    ("ns", "text"), [(0, "0:0"), (1_400_000_000, "1:400000000"), (-800_000_000, "-0:800000000"), (7, "0:7")]
)
def test_timestamps_are_written_and_read_as_tams_does(ns: int, text: str) -> None:
    assert timestamp(ns) == text
    assert parse_timestamp(text) == ns


def test_timeranges_are_written_and_read_as_tams_does() -> None:
    assert str(REQUESTED) == "[7:500000000_13:200000000)"
    assert parse_span("[-1:500000000_2:0)") == Span(-1_500_000_000, 2_000_000_000)


@pytest.mark.parametrize("text", ["", "_", "()", "[1:0]", "(1:0_2:0)", "[1_2)"])
def test_other_timerange_forms_are_rejected(text: str) -> None:
    with pytest.raises(TimeFormatError):
        parse_span(text)
