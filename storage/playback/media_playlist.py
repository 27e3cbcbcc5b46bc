"""Media playlists of HLS (RFC 8216, draft-pantos-hls-rfc8216bis): the segments of one flow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final, Literal

from storage.playback.media_segment import MediaSegment, continues, without_jitter
from storage.tai import unix_of_tai
from storage.timerange import NS

Kind = Literal["VOD", "EVENT"]

_VERSION: Final = 3
"""Durations with decimals."""
_VERSION_OF_RANGES: Final = 4
_VERSION_OF_MAPS: Final = 6
_VERSION_OF_GAPS: Final = 8
_GAP: Final = "#EXT-X-GAP"
_init_id_of, _range_of = attrgetter("init_object_id"), attrgetter("byte_range")
_FIRST_DATE: Final = 63_072_010 * NS
"""1972-01-01 in TAI. Timelines that begin near zero are not time of day."""


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """What a playlist says beyond its segments.

    kind: what EXT-X-PLAYLIST-TYPE promises; None for nothing. complete: nothing will be added (EXT-X-ENDLIST).
    target_s: the least target duration in seconds.
    sequence, discontinuity_sequence: numbers of the first segment.
    start: where to begin, in ns on the timeline; None for where players choose.
    left_out: how many segments are not listed because they use only a part of their object.
    before: the segment before the first, if it is known; it is not listed.
    key_frames_only: whether each segment is one picture, which lasts until the next.
    """

    kind: Kind | None = None
    complete: bool = False
    target_s: int = 1
    sequence: int = 0
    discontinuity_sequence: int = 0
    start: int | None = None
    left_out: int = 0
    before: MediaSegment | None = None
    key_frames_only: bool = False


def write_media_playlist(
    segments: Sequence[MediaSegment], urls: Mapping[str, str | None], playlist: MediaPlaylist
) -> str:
    """The text of a media playlist.

    segments: in order of time. urls: where objects are, by id; None for one that cannot be fetched, whose segments
    then are gaps (EXT-X-GAP), as are those that say so.
    """
    segments = without_jitter(segments, playlist.before)
    body = _body(segments, urls)
    has_gaps = _GAP in body
    return "\n".join([*_head(segments, playlist, has_gaps=has_gaps), *body, *_foot(playlist), ""])


def target_duration(segments: Iterable[MediaSegment], least_s: int = 1) -> int:
    """The target duration in seconds: no segment is longer, once rounded to the nearest second."""
    longest = max([each.end - each.start for each in segments], default=0)
    return max(least_s, (longest + NS // 2) // NS)


def date_time(tai_ns: int) -> str | None:
    """The UTC date and time of a TAI timestamp in ns, to the millisecond; None for one that is not time of day."""
    if tai_ns < _FIRST_DATE:
        return None
    ms = unix_of_tai(tai_ns) // 1_000_000
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


def _head(segments: Sequence[MediaSegment], playlist: MediaPlaylist, *, has_gaps: bool) -> Iterable[str]:
    yield "#EXTM3U"
    yield f"#EXT-X-VERSION:{_version(segments, playlist, has_gaps=has_gaps)}"
    yield f"#EXT-X-TARGETDURATION:{target_duration(segments, playlist.target_s)}"
    if playlist.kind is not None:
        yield f"#EXT-X-PLAYLIST-TYPE:{playlist.kind}"
    if playlist.key_frames_only:
        yield "#EXT-X-I-FRAMES-ONLY"
    yield f"#EXT-X-MEDIA-SEQUENCE:{playlist.sequence}"
    if playlist.discontinuity_sequence:
        yield f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}"
    if playlist.start is not None and segments and playlist.start > segments[0].start:
        yield f"#EXT-X-START:TIME-OFFSET={_seconds(playlist.start - segments[0].start)},PRECISE=YES"
    if playlist.left_out:
        yield f"# Left out: {playlist.left_out} segments that use only a part of their object"


def _version(segments: Sequence[MediaSegment], playlist: MediaPlaylist, *, has_gaps: bool) -> int:
    if has_gaps:
        return _VERSION_OF_GAPS
    if any(map(_init_id_of, segments)):
        return _VERSION_OF_MAPS
    has_ranges = playlist.key_frames_only or any(map(_range_of, segments))
    return _VERSION_OF_RANGES if has_ranges else _VERSION


def _body(segments: Iterable[MediaSegment], urls: Mapping[str, str | None]) -> list[str]:
    """The lines of the segments. Written to a list by one loop, since there may be 20,000 of them."""
    lines: list[str] = []
    before: MediaSegment | None = None
    map_of: str | None = None
    for segment in segments:
        init_id = segment.init_object_id
        if before is None or not continues(before, segment):
            if before is not None:
                lines.append("#EXT-X-DISCONTINUITY")
            if init_id is not None and init_id != map_of and urls[init_id] is not None:
                lines.append(f'#EXT-X-MAP:URI="{urls[init_id]}"')
                map_of = init_id
            date = date_time(segment.start)
            if date is not None:
                lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{date}")
        before = segment
        # Players that know no gaps must not play all of an object instead of a part.
        url = None if segment.is_gap or (init_id is not None and urls[init_id] is None) else urls[segment.object_id]
        duration = f"#EXTINF:{_seconds(segment.end - segment.start)},"
        if url is None:
            lines += _GAP, duration, "gap.ts"
        elif segment.byte_range is None:
            lines += duration, url
        else:
            first, after = segment.byte_range
            lines += duration, f"#EXT-X-BYTERANGE:{after - first}@{first}", url
    return lines


def _foot(playlist: MediaPlaylist) -> Iterable[str]:
    if playlist.complete:
        yield "#EXT-X-ENDLIST"


def _seconds(ns: int) -> str:
    """Nanoseconds as seconds, exactly."""
    return f"{ns // NS}.{ns % NS:09}"
