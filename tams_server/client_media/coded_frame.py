"""A coded frame or packet of sound, with its exact time."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av


@dataclass(slots=True)
class CodedFrame:
    """A packet of a stream. Times are in seconds on the timeline of the input, and exact.

    start, end: when it is presented. decode: its decoding time. key: whether decoding can begin here. shown: the part
    of [start, end) that is to be presented; None if the frame is only there for the decoder, such as the priming of an
    encoder or what lies before the first frame of an edit list.
    """

    packet: "av.Packet[Any]"
    stream: int
    start: Fraction
    end: Fraction
    decode: Fraction
    key: bool
    shown: tuple[Fraction, Fraction] | None

    @property
    def size(self) -> int:
        """In bytes."""
        return int(self.packet.size)
