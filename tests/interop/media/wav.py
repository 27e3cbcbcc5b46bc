"""PCM in WAV files: 24 bits, two channels, 48 kHz."""

import io
import wave
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

RATE, CHANNELS, BITS = 48_000, 2, 24
TYPE = "audio/wav"

Samples = npt.NDArray[np.int32]
"""A row for each sample, a column for each channel."""


def noise(count: int, seed: int = 1) -> Samples:
    """Samples of all values, so that not one can be lost, moved or rounded unnoticed."""
    return np.random.default_rng(seed).integers(-(1 << 23), 1 << 23, (count, CHANNELS), dtype=np.int32)


def make(samples: Samples) -> bytes:
    """The samples as a file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(CHANNELS)
        file.setsampwidth(BITS // 8)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i4").reshape(-1, 1).view(np.uint8)[:, : BITS // 8].tobytes())
    return target.getvalue()


def read(media: bytes) -> Samples:
    """The samples of a file, as FFmpeg decodes them."""
    blocks = []
    with av.open(io.BytesIO(media), "r", format="wav") as file:
        for frame in file.decode(audio=0):
            blocks.append(frame.to_ndarray().reshape(-1, CHANNELS).astype(np.int32) >> 8)
    return np.concatenate(blocks)


def time_of(sample: int) -> int:
    """The time of a sample in ns, rounded."""
    return round(Fraction(sample, RATE) * 1_000_000_000)
