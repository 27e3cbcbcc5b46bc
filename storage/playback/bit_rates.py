"""Bit rates of flows, from the sizes of some of their segments (RFC 8216bis, section 4.4.6.2)."""

from collections.abc import Sequence

from storage.playback.media_playlist import target_duration
from storage.playback.media_segment import JITTER_NS, MediaSegment
from storage.timerange import NS


def mean_rate(sizes: Sequence[tuple[MediaSegment, int]]) -> int:
    """The bit rate of all segments together, in bit/s; 0 without any. sizes: segments with their bytes."""
    duration = sum(segment.duration for segment, _ in sizes)
    return _rate(sum(size for _, size in sizes), duration) if duration else 0


def peak_rate(sizes: Sequence[tuple[MediaSegment, int]], least_target_s: int) -> int:
    """The highest bit rate of successive segments that last for half a target duration to one and a half, in bit/s.

    Shorter segments alone are no peak, since players fetch the next one as well: at the end of a recording there may be
    a single picture. Without successive segments that last so long it is the bit rate of all.

    sizes: segments in any order, with their bytes. least_target_s: the least target duration in seconds.
    """
    found = sorted(sizes, key=lambda each: each[0].start)
    target_ns = target_duration((segment for segment, _ in found), least_target_s) * NS
    rates = []
    for number, (first, _) in enumerate(found):
        end, total = first.start, 0
        for segment, size in found[number:]:
            if abs(segment.start - end) >= JITTER_NS or 2 * (segment.end - first.start) > 3 * target_ns:
                break
            end, total = segment.end, total + size
            if 2 * (end - first.start) >= target_ns:
                rates.append(_rate(total, end - first.start))
    return max(rates, default=mean_rate(sizes))


def _rate(size: int, duration: int) -> int:
    """Bytes in nanoseconds as bit/s, rounded up."""
    return -(-size * 8 * NS // duration)
