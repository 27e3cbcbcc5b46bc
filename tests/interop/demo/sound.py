"""The sound: a tone that climbs one step every two seconds, so that any tenth of a second tells when it was played.

All frequencies are multiples of 10 Hz: a tenth of a second then holds whole periods, and its strongest frequency falls
exactly on one line of its spectrum. The right channel plays a fifth above the left.
"""

import numpy as np
import numpy.typing as npt

RATE = 48_000
CHANNELS = 2
STEP_SECONDS = 2
# The right channel's last step stays below the low-pass of the AAC encoder.
MAX_STEPS = 100

Samples = npt.NDArray[np.float32]

_WINDOW = RATE // 10
_LEVEL = 0.3


# Hz of the first step, and by how much each further step is higher, of the left and the right channel.
_PITCHES = ((400, 80), (600, 120))


def pitches(step: int) -> tuple[int, ...]:
    """Frequencies in Hz of the left and the right channel in this step."""
    return tuple(first + rise * step for first, rise in _PITCHES)


def tone(start: int, count: int) -> Samples:
    """`count` samples of both channels from sample `start` on: an array of 2 rows, values within -1 to 1."""
    index = np.arange(start, start + count)
    step = index // (RATE * STEP_SECONDS)
    hertz = np.stack([first + rise * step for first, rise in _PITCHES])
    # Whole cycles are taken off as integers, so that the phase stays exact however long the clip is.
    cycles = (hertz * index) % RATE / RATE
    return (_LEVEL * np.sin(2 * np.pi * cycles)).astype(np.float32)


def wrong_pitches(samples: Samples, start: int) -> list[str]:
    """What is wrong with the pitch of each tenth of a second of samples that start at sample `start`, one line each.

    A last piece shorter than a tenth of a second is not looked at.
    """
    wrong = []
    for offset in range(0, samples.shape[1] - _WINDOW + 1, _WINDOW):
        first, last = start + offset, start + offset + _WINDOW - 1
        steps = {at // (RATE * STEP_SECONDS) for at in (first, last)}
        window = samples[:, offset : offset + _WINDOW] * np.hanning(_WINDOW)
        heard = np.abs(np.fft.rfft(window)).argmax(axis=1) * RATE // _WINDOW
        if tuple(heard) not in {pitches(step) for step in steps}:
            wrong.append(f"at {first / RATE:.3f} s: {heard[0]} and {heard[1]} Hz, not {pitches(min(steps))}")
    return wrong


def misalignment(samples: Samples, start: int, reach: int = 24) -> int:
    """How many samples late (positive) or early the samples are, against what sample `start` and on should sound like.

    Lags up to `reach` samples to both sides are tried; the one that correlates best is returned.
    """
    count = samples.shape[1]
    ideal = tone(start - reach, count + 2 * reach)
    lags = range(-reach, reach + 1)
    likeness = [float((samples * ideal[:, reach - lag : reach - lag + count]).sum()) for lag in lags]
    return lags[int(np.argmax(likeness))]
