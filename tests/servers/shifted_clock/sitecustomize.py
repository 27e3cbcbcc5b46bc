"""Shift the clocks of this Python process, and of those forked from it, by the seconds in a mapped file.

Loaded by Python itself where the folder of this module is on PYTHONPATH (tests.servers.clock). Shifted are `time.time`
and `time.time_ns`, by which this server measures calendar time, and `time.monotonic`.
"""

import mmap
import os
import struct
import time

_SECONDS = struct.Struct("dd")
"""Of the wall clock, and of the monotonic clock."""


def _shift(file: str) -> None:
    with open(file, "rb") as opened:
        shared = mmap.mmap(opened.fileno(), _SECONDS.size, prot=mmap.PROT_READ)
    real_time, real_time_ns, real_monotonic = time.time, time.time_ns, time.monotonic

    def shifted_time() -> float:
        return real_time() + float(_SECONDS.unpack_from(shared)[0])

    def shifted_time_ns() -> int:
        return real_time_ns() + int(_SECONDS.unpack_from(shared)[0] * 1e9)

    def shifted_monotonic() -> float:
        return real_monotonic() + float(_SECONDS.unpack_from(shared)[1])

    time.time, time.time_ns, time.monotonic = shifted_time, shifted_time_ns, shifted_monotonic


if "SHIFTED_CLOCK_FILE" in os.environ:
    _shift(os.environ["SHIFTED_CLOCK_FILE"])
