"""The packets of a live input, read in a thread of their own, so that a signal can end the wait for a sender.

A call into FFmpeg's libraries returns when there is something, or after a timeout; until then no handler in Python runs
in its thread.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

_HELD: Final = 256
"""Packets that wait for the ingest; then the reader waits."""
_LOOK_S: Final = 0.2
"""How often each side looks whether the other has stopped."""
_END: Final = object()


class LivePackets:
    """Iterate over it for the packets. read: returns them; its error is raised by the iteration."""

    def __init__(self, read: Callable[[], Iterable[Any]]) -> None:
        self._read = read
        self._queue: queue.Queue[Any] = queue.Queue(_HELD)
        self._stopped = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._fill, name="live input", daemon=True)

    def stop(self) -> None:
        """End the iteration. Safe in a signal handler."""
        self._stopped.set()

    def ended(self) -> bool:
        """Stop, and whether nothing is being read any more, so that the input can be closed."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(2 * _LOOK_S)
        return not self._thread.is_alive()

    def __iter__(self) -> Iterator[Any]:
        self._thread.start()
        while not self._stopped.is_set():
            try:
                packet = self._queue.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if packet is _END:
                if self._error is not None:
                    raise self._error
                return
            yield packet

    def _fill(self) -> None:
        try:
            for packet in self._read():
                if not self._put(packet):
                    return
        except Exception as error:
            self._error = error
        self._put(_END)

    def _put(self, packet: Any) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(packet, timeout=_LOOK_S)
            except queue.Full:
                continue
            return True
        return False
