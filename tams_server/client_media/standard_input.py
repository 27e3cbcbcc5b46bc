"""Standard input as FFmpeg's libraries read it through PyAV, so that waiting for a sender can be ended."""

import os
import select
import sys
from typing import Final

_LOOK_S: Final = 0.5
"""How often a waiting read looks whether it is to end."""


class StandardInput:
    """A file to read from, without a position. After `stop` it has ended."""

    def __init__(self) -> None:
        self._number = sys.stdin.fileno()
        self._stopped = False
        self._interrupted = False

    def stop(self) -> None:
        """End the input, also a read that waits. Safe in a signal handler."""
        self._stopped = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if one ended the input, which PyAV does not pass on from `read`."""
        if self._interrupted:
            raise KeyboardInterrupt

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, as soon as there are some; none at the end."""
        try:
            while not self._stopped:
                ready, _, _ = select.select([self._number], [], [], _LOOK_S)
                if ready:
                    return os.read(self._number, size)
        except KeyboardInterrupt:
            self._interrupted = self._stopped = True
        return b""
