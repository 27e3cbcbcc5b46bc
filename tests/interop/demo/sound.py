"""The sound: a tone that rises one step every two seconds, so that any tenth of a second identifies its time.

All frequencies are multiples of 10 Hz, so that a tenth of a second contains whole periods and its strongest frequency
falls exactly on one line of the spectrum. The right channel plays a fifth above the left.
"""

import numpy as np
import numpy.typing as npt

RATE = 48_000
CHANNELS = 2
STEP_SECONDS = 2
# Keeps the right channel's last step below the low-pass filter of the AAC encoder.
MAX_STEPS = 100

Samples = npt.NDArray[np.float32]

_WINDOW = RATE // 10
_LEVEL = 0.3


# The frequency of the first step and the increase of each further step, in Hz, of the left and right channels.
_PITCHES = ((400, 80), (600, 120))


def pitches(step: int) -> tuple[int, ...]:
    """The frequencies of the left and right channels in this step, in Hz."""
    return tuple(first + rise * step for first, rise in _PITCHES)


def tone(start: int, count: int) -> Samples:
    """`count` samples of both channels from sample `start`: an array of 2 rows, values from -1 to 1."""
    index = np.arange(start, start + count)
    step = index // (RATE * STEP_SECONDS)
    hertz = np.stack([first + rise * step for first, rise in _PITCHES])
    # Whole cycles are removed as integers, so that the phase is exact however long the clip is.
    cycles = (hertz * index) % RATE / RATE
    return (_LEVEL * np.sin(2 * np.pi * cycles)).astype(np.float32)


def wrong_pitches(samples: Samples, start: int) -> list[str]:
    """Check the pitch of each tenth of a second of samples that start at sample `start`.

    Returns a line for each wrong one. A remainder shorter than a tenth of a second is ignored.
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


def lag_in_samples(samples: Samples, start: int, reach: int = 24) -> int:
    """The lag, in samples, of samples that should start at sample `start`: positive if late, negative if early.

    Returns the lag of up to `reach` samples that correlates best.
    """
    count = samples.shape[1]
    ideal = tone(start - reach, count + 2 * reach)
    lags = range(-reach, reach + 1)
    likeness = [float((samples * ideal[:, reach - lag : reach - lag + count]).sum()) for lag in lags]
    return lags[int(np.argmax(likeness))]
