"""One timeline for the streams of an input, also where its clock jumps.

A sender that starts again, or a playlist that changes its encoder, sets the clock of an input back or ahead. Each
stream gets there by itself: packets of the old clock may still come after the first of the new one.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

_BACK_S: Final = Fraction(1, 2)
"""Decoding times of a stream never go back. By less than this they are noise, which one stream alone may have."""
_AHEAD_S: Final = 10
"""Jumps ahead of live inputs that are of the clock. Shorter ones are gaps: packets were lost."""
_FITS_S: Final = 2
"""A stream takes the clock that another one has jumped to, if it then goes on within this time of where it was."""
_MOST_NOTES: Final = 20


@dataclass(slots=True)
class _Stream:
    """offset: to add to the stream's times. clock: that it has arrived at. last, end: its latest times, placed."""

    offset: Fraction
    clock: int
    last: Fraction
    end: Fraction


@dataclass(slots=True)
class InputTimeline:
    """Places packets. live: whether jumps ahead are taken out too. notes: the jumps, in words. Times in seconds."""

    live: bool
    notes: list[str] = field(default_factory=list)
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _offsets: list[Fraction] = field(default_factory=lambda: [Fraction(0)])

    def place(self, index: int, decode: Fraction, start: Fraction, length: Fraction, *, fixed: bool) -> Fraction:
        """What to add to the times of the next packet of a stream.

        decode: its decoding time. start, length: of its presentation. fixed: whether frames keep a grid of this length.
        """
        stream = self._streams.get(index)
        if stream is None:
            offset, clock = self._offsets[-1], len(self._offsets) - 1
            if self._is_ahead(decode + offset):
                offset, clock = self._new_clock(start, self._end(), decode + offset), len(self._offsets) - 1
            stream = self._streams[index] = _Stream(offset, clock, decode + offset, start + length + offset)
            return offset
        placed = decode + stream.offset
        if placed < stream.last - _BACK_S or self._is_ahead(placed):
            self._move(stream, decode, start, length, fixed=fixed)
        stream.last = max(stream.last, decode + stream.offset)
        stream.end = max(stream.end, start + length + stream.offset)
        return stream.offset

    def offset(self, index: int) -> Fraction:
        """What the last packet of a stream was moved by."""
        stream = self._streams.get(index)
        return self._offsets[-1] if stream is None else stream.offset

    def _is_ahead(self, placed: Fraction) -> bool:
        latest = max((each.last for each in self._streams.values()), default=placed)
        return self.live and placed > latest + _AHEAD_S

    def _end(self) -> Fraction:
        return max(each.end for each in self._streams.values())

    def _move(self, stream: _Stream, decode: Fraction, start: Fraction, length: Fraction, *, fixed: bool) -> None:
        """Go on where the stream was: by the clock of a stream that has jumped before, or by a new one."""
        for clock in range(stream.clock + 1, len(self._offsets)):
            if abs(decode + self._offsets[clock] - stream.last) <= _FITS_S:
                offset, stream.clock = self._offsets[clock], clock
                break
        else:
            offset = self._new_clock(start, self._end(), decode + stream.offset - stream.last)
            stream.clock = len(self._offsets) - 1
        # Nothing is shown while something else is. Pictures stay on the grid of their rate.
        wait = max(start + offset - stream.end, Fraction(0))
        if fixed:
            wait = round(wait / length) * length
        stream.offset = stream.end + wait - start

    def _new_clock(self, start: Fraction, at: Fraction, jump: Fraction) -> Fraction:
        """A clock by which something that begins at `start` is placed at `at`."""
        self._offsets.append(at - start)
        if len(self.notes) < _MOST_NOTES:
            text = f"the clock of the input jumped by {float(jump):+.1f} s at {float(at):.1f} s: the flow goes on"
            self.notes.append(text)
        return at - start
