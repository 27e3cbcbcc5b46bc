"""A wall clock for the processes of a server under test, which a test can set forward and back while they run."""

import struct
from collections.abc import Mapping
from pathlib import Path

_SHIM = Path(__file__).parent / "shifted_clock"


class ServerClock:
    """A clock that differs from the real one by a number of seconds, 0 at first. It is kept in a new file.

    settings: environment variables of the processes that shall have this clock.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file.open("w+b", buffering=0)
        self.settings: Mapping[str, str] = {"PYTHONPATH": str(_SHIM), "SHIFTED_CLOCK_FILE": str(file)}
        self._write(0, 0)

    def set(self, seconds: float) -> None:
        """Set the clock so many seconds ahead of the real one; back if negative. It applies at once, everywhere."""
        self._write(seconds, 0)

    def let_pass(self, seconds: float) -> None:
        """Have it seem that so many seconds have passed, by the monotonic clock too. To be called once."""
        self._write(seconds, seconds)

    def _write(self, wall: float, monotonic: float) -> None:
        self._file.seek(0)
        self._file.write(struct.pack("dd", wall, monotonic))

    def close(self) -> None:
        self._file.close()
