"""The progress of long commands on standard error: one changing line on a terminal, elsewhere a line now and then."""

import sys
import time

_ON_TERMINAL_S = 0.2
_ELSEWHERE_S = 30.0


class Progress:
    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + (0 if self._terminal else _ELSEWHERE_S)
        self._shown = False

    def show(self, what: str, count: int) -> None:
        """Say how many items are done. Shown only if the last line is old enough."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + (_ON_TERMINAL_S if self._terminal else _ELSEWHERE_S)
        self._shown = True
        if self._terminal:
            print(f"\r\x1b[K{count:,} {what}", end="", file=sys.stderr, flush=True)
        else:
            print(f"{count:,} {what}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the line from a terminal, before other output."""
        if self._terminal and self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
