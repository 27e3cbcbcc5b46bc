"""What is in a file of media once it is decoded: pictures with their times, and samples."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def pictures(path: Path) -> list[tuple[Fraction, Any]]:
    """Time in seconds and planes of each picture, in order of time. The first has time 0."""
    with av.open(str(path)) as container:
        frames: Any = container.decode(video=0)
        found = [(frame.pts * frame.time_base, frame.to_ndarray()) for frame in frames]
    return [(time - found[0][0], planes) for time, planes in found]


def samples(path: Path) -> Any:
    """All samples of the first track of sound, as floats: (channels, samples)."""
    with av.open(str(path)) as container:
        channels = container.streams.audio[0].codec_context.channels
        blocks = []
        for frame in container.decode(audio=0):
            block: Any = frame.to_ndarray()
            scale = 1.0 if block.dtype.kind == "f" else float(np.iinfo(block.dtype).max) + 1
            planar = block if frame.format.is_planar else block.reshape(-1, channels).T
            blocks.append(planar.astype(np.float64) / scale)
    return np.concatenate(blocks, axis=1)


def equal(one: Any, other: Any) -> bool:
    """Whether two pictures have the same samples."""
    return bool(np.array_equal(one, other))


def difference(one: Any, other: Any) -> float:
    """The mean difference of the samples of two pictures of 8 bits."""
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())
