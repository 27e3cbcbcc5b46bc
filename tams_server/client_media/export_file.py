"""Write an export to a file or to standard output: MP4, MOV, MPEG-TS or Matroska, its tracks in step."""

import heapq
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from tams_server.client_media.errors import InvalidOption, MediaError
from tams_server.client_media.export_packets import AudioTrack, OutPacket, VideoTrack
from tams_server.client_media.export_plan import ExportPlan, Track
from tams_server.client_media.export_result import ExportResult
from tams_server.client_media.flow_reader import ObjectReader
from tams_server.client_media.output_file import standard_output, unfinished, verify
from tams_server.client_media.stored_frames import FrameReader, coding_of, opened_stream

_MUXERS: Final = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".m4a": "mp4",
    ".mov": "mov",
    ".ts": "mpegts",
    ".m2ts": "mpegts",
    ".mkv": "matroska",
}
_WITH_EDITS: Final = ("mp4", "mov")
"""Containers whose edit lists can hide the beginning of a track."""
_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""Where channels belong if nothing says it, by their number. MP4 cannot leave it open for PCM (ISO/IEC 23003-5)."""
_ASSUMED: Final = 3
"""From so many channels on, where they belong is worth a note."""
FORMATS: Final = ("mp4", "mov", "ts", "mkv", "wav")


def muxer_of(path: str, format_: str | None) -> str:
    """FFmpeg's muxer for a file name, or a format of FORMATS. Raises InvalidOption."""
    suffix = f".{format_}" if format_ else Path(path).suffix.lower()
    if suffix == ".wav":
        return "wav"
    if suffix not in _MUXERS:
        raise InvalidOption(f"the output must end in .{', .'.join(FORMATS)}, or have --format; not {path!r}")
    return _MUXERS[suffix]


class ExportFile:
    """Writes a plan. copy: cut at key frames. done: called with the time on the timeline that is reached, in ns."""

    def __init__(
        self,
        plan: ExportPlan,
        reader: ObjectReader,
        *,
        copy: bool = False,
        done: Callable[[int], None] = lambda at: None,
    ) -> None:
        self._plan = plan
        self._reader = reader
        self._copy = copy
        self._done = done

    def write(self, path: str, muxer: str) -> ExportResult:
        """Write the file, which has its name once it is complete and checked; "-" is standard output.

        Raises MediaError, ClientError and OSError.
        """
        if path == "-":
            with standard_output() as target:
                return self._write(target, muxer, {"movflags": "frag_keyframe+empty_moov+delay_moov"})
        with unfinished(path) as part:
            options = {"movflags": "faststart"} if muxer in _WITH_EDITS else {}
            result = self._write(part, muxer, options)
            result.size = os.path.getsize(part)
            verify(part, self._plan, result, path)
        return result

    def _write(self, target: Any, muxer: str, options: dict[str, str]) -> ExportResult:
        options = options if muxer in _WITH_EDITS else {}
        result = ExportResult(self._plan.timerange)
        with ExitStack() as stack:
            output = stack.enter_context(av.open(target, "w", format=muxer, options=options))
            writers = [self._track(track, output, muxer, stack, result) for track in self._plan.tracks]
            try:
                streams = [stream for _, stream in writers]
                merged = heapq.merge(*(_numbered(each, number) for number, (each, _) in enumerate(writers)))
                for _, number, packet in merged:
                    output.mux(_muxable(packet, streams[number]))
                    self._done(min((each.counts.end for each, _ in writers if each.counts.end), default=0))
            except av.FFmpegError as error:
                raise MediaError(f"the output cannot be written: {error.strerror}") from error
        for (each, _), track in zip(writers, self._plan.tracks, strict=True):
            result.packets += each.counts.frames
            if each.counts.frames:
                result.written.append((track, each.counts.frames))
            else:
                result.notes.append(f"the {track.kind} has nothing in {self._plan.timerange}, and no track")
            if track.kind == "video":
                result.frames, result.encoded = each.counts.frames, each.counts.encoded
                runs = each.counts.reencoded_runs
                result.notes += [f"{at} has other coding parameters, and was re-encoded" for at in runs]
            result.gaps += [f"{track.kind}: {gap}" for gap in track.gaps]
        if not result.packets:
            raise MediaError(f"nothing begins in {self._plan.timerange}")
        return result

    def _track(
        self, track: Track, output: Any, muxer: str, stack: ExitStack, result: ExportResult
    ) -> tuple[VideoTrack | AudioTrack, Any]:
        first = [*track.before, *track.segments][0]
        file = self._reader.file(first)
        template = stack.enter_context(opened_stream(file, track.kind, track.number))
        coding = coding_of(template)
        frames = FrameReader(self._reader, track.kind, track.number, track.rate if track.kind == "video" else None)
        window = self._plan.timerange.bounds
        try:
            stream = output.add_stream_from_template(template)
        except ValueError as error:
            message = f"{muxer} cannot hold {coding.codec}: choose .mkv or .mov, or .wav for the sound alone"
            raise MediaError(message) from error
        if track.kind == "video":
            video = VideoTrack(track, frames, coding, window, in_band=muxer == "mpegts", copy=self._copy)
            config = video.config()
            if config is not None:
                stream.codec_context.extradata = config
            stream.time_base = video.unit
            return video, stream
        if muxer == "mp4":
            _place_channels(stream.codec_context, result)
        audio = AudioTrack(track, frames, coding, window, primed=muxer in _WITH_EDITS)
        stream.time_base = audio.unit
        return audio, stream


def _place_channels(context: Any, result: ExportResult) -> None:
    """Say where the channels of PCM belong, as in a WAV file without a channel mask nothing does. Raises MediaError."""
    layout = context.layout
    if any(each.name != "NONE" for each in layout.channels) or not context.codec.canonical_name.startswith("pcm_"):
        return
    if layout.nb_channels not in _LAYOUTS:
        raise MediaError(f"mp4 cannot hold {layout.name} that nothing says the places of: choose .mov, .mkv or .wav")
    context.layout = _LAYOUTS[layout.nb_channels]
    if layout.nb_channels >= _ASSUMED:
        result.notes.append(
            f"the sound does not say what its channels are: {layout.name} count as {context.layout.name}"
        )


def _numbered(track: VideoTrack | AudioTrack, number: int) -> Iterator[tuple[Fraction, int, OutPacket]]:
    return ((packet.at, number, packet) for packet in track.packets())


def _muxable(packet: OutPacket, stream: Any) -> "av.Packet[Any]":
    found: av.Packet[Any] = av.Packet(packet.data)
    found.pts, found.dts, found.duration, found.time_base = packet.pts, packet.dts, packet.duration, packet.unit
    found.is_keyframe = packet.key
    found.stream = stream
    return found
