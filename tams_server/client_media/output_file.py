"""A file that has its name only once it is complete and checked."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Final

import av

from storage.timerange import NS
from tams_server.client_media.errors import MediaError
from tams_server.client_media.export_plan import ExportPlan, Track
from tams_server.client_media.export_result import ExportResult
from tams_server.client_media.field_pairs import FieldPairs

_MISSING_S: Final = 0.25
"""So much of a track may be missing without a note: frames are cut at their edges."""
_REGROUPED: Final = "mpegts"
"""FFmpeg's name of a container that has no packets of sound, so that readers find their own."""


@contextmanager
def unfinished(path: str) -> Iterator[str]:
    """A name beside `path` to write to. The file replaces `path` if the block succeeds, and is removed if not."""
    part = f"{path}.{secrets.token_hex(4)}.part"
    try:
        yield part
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)


class _StandardOutput:
    """What PyAV writes to. error: the first of a write, which PyAV does not always pass on."""

    def __init__(self) -> None:
        self._stream = sys.stdout.buffer
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            written = self._stream.write(data)
            self._stream.flush()
        except OSError as error:
            self.error = self.error or error
            raise
        return written


@contextmanager
def standard_output() -> Iterator[_StandardOutput]:
    """Standard output as a file without a position. Raises OSError if a write failed, whatever PyAV makes of it."""
    output = _StandardOutput()
    try:
        yield output
    except (av.FFmpegError, MediaError) as error:
        if output.error is not None:
            raise output.error from error
        raise
    if output.error is not None:
        raise output.error


def verify(path: str, plan: ExportPlan, result: ExportResult, name: str) -> None:
    """Read a written file again, and compare it with what went into it and with the plan.

    name: of the file in messages. Raises MediaError for a file that is not what was written; adds a note to the result
    if a track has less than the plan's segments say.
    """
    start, finish = plan.timerange.bounds
    try:
        streams, counts, length, end = _read(path)
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{name} cannot be read again: {error.strerror}") from error
    streams = [each for each in streams if counts[each[0]]]  # Matroska has tracks without packets, MP4 has not
    if len(streams) < len(result.written):
        raise MediaError(f"{name} has {len(streams)} tracks instead of {len(result.written)}")
    for (index, kind, muxer), (track, written) in zip(streams, result.written, strict=False):
        if written is not None and (kind == "video" or muxer != _REGROUPED) and counts[index] < written:
            raise MediaError(f"{name} has {counts[index]} frames of {kind} instead of {written}")
        wanted = (finish - start if written is None else _filled(track, start, finish)) / NS
        found = float(counts[index] / track.rate) if kind == "video" and track.rate else float(length[index])
        if found and found < wanted - _MISSING_S:
            result.notes.append(f"the {kind} has {found:.1f} s of media, and its segments state {wanted:.1f} s")
    if end > Fraction(finish - start, NS) + 1:
        raise MediaError(f"{name} ends after {float(end):.3f} s instead of {(finish - start) / NS:.3f} s")


def _read(path: str) -> tuple[list[tuple[int, str, str]], dict[int, int], dict[int, Fraction], Fraction]:
    """Index, kind and container of each track; packets and seconds of each; the latest beginning of a packet."""
    with av.open(path) as container:
        muxer = container.format.name
        streams = [(each.index, str(each.type), muxer) for each in container.streams if each.type in ("video", "audio")]
        counts = {index: 0 for index, _, _ in streams}
        length = {index: Fraction(0) for index, _, _ in streams}
        end = Fraction(0)
        pairs = {each.index: FieldPairs(each) for each in container.streams if each.index in counts}
        packets = chain.from_iterable(
            pairs[each.stream_index].add(each) for each in container.demux() if each.stream_index in counts
        )
        for packet in packets:
            if packet.size:
                counts[packet.stream_index] += 1
                length[packet.stream_index] += (packet.duration or 0) * packet.time_base
                end = max(end, (packet.pts or 0) * packet.time_base)
    return streams, counts, length, end


def _filled(track: Track, start: int, finish: int) -> int:
    """Nanoseconds of a window that a track's segments fill."""
    return sum(max(min(each.end, finish) - max(each.start, start), 0) for each in track.segments)
