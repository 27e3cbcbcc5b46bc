"""Export sound to WAV, exact to the sample: decoded, cut, gaps filled with silence."""

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np

from storage.timerange import NS
from tams_server.client_media.errors import MediaError
from tams_server.client_media.export_plan import ExportPlan
from tams_server.client_media.export_result import ExportResult
from tams_server.client_media.flow_reader import ObjectReader, runs
from tams_server.client_media.output_file import standard_output, unfinished, verify
from tams_server.client_media.stored_frames import Coding, FrameReader, StoredFrame

ENCODINGS: Final = {"s16": "pcm_s16le", "s24": "pcm_s24le", "s32": "pcm_s32le", "f32": "pcm_f32le"}
_PLANES: Final = {
    "s16": ("s16p", np.int16),
    "s24": ("s32p", np.int32),
    "s32": ("s32p", np.int32),
    "f32": ("fltp", np.float32),
}
_INTO: Final = {"s16": "s16", "s24": "s32", "s32": "s32", "f32": "flt"}
_NATIVE: Final = {"pcm_s16le": "s16", "pcm_s16be": "s16", "pcm_u8": "s16", "pcm_s32le": "s32", "pcm_f32le": "f32"}
_BLOCK: Final = 1 << 16
"""Samples of silence written at a time."""
_UNIT: Final = Fraction(1, NS)


def write_wav(
    plan: ExportPlan,
    reader: ObjectReader,
    path: str,
    *,
    encoding: str | None = None,
    done: Callable[[int], None] = lambda at: None,
) -> ExportResult:
    """Write the first track of sound. encoding: one of ENCODINGS, or None for that of PCM, and s24 otherwise.

    Raises MediaError, ClientError and OSError.
    """
    sound = [track for track in plan.tracks if track.kind == "audio"]
    if not sound:
        raise MediaError("a WAV file needs sound, and there is none in this timerange")
    track = sound[0]
    window = plan.timerange.bounds
    frames = FrameReader(reader, "audio", track.number, None)
    coding = frames.coding(track.segments[0])
    if _sample(window[0], coding.shape[0]) >= _sample(window[1], coding.shape[0]):
        raise MediaError(f"no sample begins in {plan.timerange}")
    encoding = encoding or _NATIVE.get(coding.codec, "s24")
    result = ExportResult(plan.timerange, written=[(track, None)])

    def write(target: Any) -> None:
        with av.open(target, "w", format="wav", options={"rf64": "auto"}) as output:
            stream: Any = output.add_stream(ENCODINGS[encoding], rate=coding.shape[0])
            stream.layout = _layout(coding.shape[1])
            for block in _whole(plan, track, frames, coding, encoding):
                result.samples += block.shape[1]
                _write(output, stream, block, encoding)
                done(plan.timerange.bounds[0] + result.samples * NS // coding.shape[0])
            output.mux(stream.encode(None))

    if path == "-":
        with standard_output() as target:
            write(target)
    else:
        with unfinished(path) as part:
            write(part)
            result.size = os.path.getsize(part)
            verify(part, plan, result, path)
    result.gaps = [f"audio: {gap} (silence)" for gap in track.gaps]
    result.notes += [f"only {track.label!r} of {len(sound)} tracks of sound was written"] if len(sound) > 1 else []
    return result


def _whole(plan: ExportPlan, track: Any, frames: FrameReader, coding: Coding, encoding: str) -> Iterator[Any]:
    """All samples of the window, without gaps: blocks of (channels, samples)."""
    rate, (first, last) = coding.shape[0], plan.timerange.bounds
    at, end = _sample(first, rate), _sample(last, rate)
    kind = _PLANES[encoding][1]
    for run in runs([*track.before, *track.segments]):
        start, stop = max(at, _sample(run[0].start, rate)), min(end, _sample(run[-1].end, rate))
        for position, samples in _decoded(frames.frames(run), coding, encoding):
            left, right = max(start - position, 0), min(stop - position, samples.shape[1])
            if left >= right or position + right <= at:
                continue
            left = max(left, at - position)
            yield from _silence(position + left - at, coding.shape[1], kind)
            yield samples[:, left:right]
            at = position + right
    yield from _silence(end - at, coding.shape[1], kind)


def _silence(count: int, channels: int, kind: Any) -> Iterator[Any]:
    while count > 0:
        size = min(count, _BLOCK)
        yield np.zeros((channels, size), kind)
        count -= size


def _decoded(frames: Iterator[StoredFrame], coding: Coding, encoding: str) -> Iterator[tuple[int, Any]]:
    """The samples of a run: the index of the first on the flow's timeline, and planes."""
    context: Any = av.CodecContext.create(coding.codec, "r")
    if coding.config:
        context.extradata = coding.config
    rate = coding.shape[0]
    if coding.codec.startswith("pcm_"):
        context.sample_rate, context.layout = rate, _layout(coding.shape[1])
    planes: Any = av.AudioResampler(format=_PLANES[encoding][0], layout=_layout(coding.shape[1]), rate=rate)
    for frame in frames:
        packet: Any = av.Packet(frame.data)
        packet.pts, packet.time_base = frame.start, _UNIT
        try:
            decoded = context.decode(packet)
        except av.FFmpegError as error:
            raise MediaError(f"sound cannot be decoded: {error.strerror}") from error
        for each in decoded:
            position = round(Fraction(each.pts * rate, NS)) if each.pts is not None else 0
            each.pts = None
            for plane in planes.resample(each):
                samples = plane.to_ndarray()
                yield position, samples
                position += samples.shape[1]


def _write(output: Any, stream: Any, block: Any, encoding: str) -> None:
    packed = np.ascontiguousarray(block.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format=_INTO[encoding], layout=stream.layout.name)
    frame.sample_rate = stream.rate
    output.mux(stream.encode(frame))


def _sample(ns: int, rate: int) -> int:
    """The first sample at or after a time, which may be rounded to the nanosecond itself."""
    exact = Fraction(ns * rate, NS)
    nearest = round(exact)
    return nearest if abs(nearest - exact) * NS <= rate else -(-exact.numerator // exact.denominator)


def _layout(channels: int) -> str:
    return {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(channels, f"{channels} channels")
