"""From ticks of a container to nanoseconds, without drift: each time is computed from the whole number of ticks.

Containers with coarse clocks (milliseconds in Matroska, 90 kHz in MPEG-TS) round the times of frames. A `FrameGrid`
finds the exact time again where frames have a fixed length.
"""

from dataclasses import dataclass
from fractions import Fraction

from storage.timerange import NS

_ROUNDED = Fraction(3, 4)
"""A rounded time is at most half a tick from the exact one; rounding to the frame before adds to that."""


def in_ns(ticks: int | Fraction, unit: Fraction) -> int:
    """Convert ticks of `unit` seconds to nanoseconds, rounded to the nearest."""
    return round(ticks * unit * NS)


def whole_seconds(time: Fraction) -> int:
    """The whole seconds before a time in seconds."""
    return time.numerator // time.denominator


def fine_unit(unit: Fraction) -> Fraction:
    """A time base of which a second is a whole number, and of which `unit` is a multiple."""
    return Fraction(1, unit.denominator)


@dataclass(slots=True)
class FrameGrid:
    """The exact times of frames of a fixed length, in seconds. frame: the length; None if there is none.

    unit: of the container's clock, in seconds.
    """

    frame: Fraction | None
    unit: Fraction
    first: Fraction | None = None

    def exact(self, time: Fraction) -> Fraction:
        """The time of the frame that the container places at `time`.

        That is `time` itself if the container's clock can express the length of a frame, or if the frame is not where
        the first one and the length of frames put it.
        """
        if self.frame is None or (self.frame / self.unit).denominator == 1:
            return time
        if self.first is None:
            self.first = time
            return time
        on_grid = self.first + round((time - self.first) / self.frame) * self.frame
        return on_grid if abs(on_grid - time) <= self.unit * _ROUNDED else self._restart(time)

    def _restart(self, time: Fraction) -> Fraction:
        self.first = time
        return time
