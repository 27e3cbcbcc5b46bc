"""The audit log: who did what, one JSON object per line, apart from the server's other logs.

All processes append to one file, each line with one write under a lock; a file that was moved away, as logrotate does,
is followed by a new one with the next line. Lines are not forced to the disk one by one.
"""

import fcntl
import logging
import os
import stat
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from storage.errors import Unavailable
from tams_server.logs import printable

_log = logging.getLogger(__name__)

OFF: Final = "off"
STDOUT: Final = "stdout"
_PIPE_BYTES: Final = 4096
"""What a pipe takes in one piece, so that the lines of several processes do not mix (PIPE_BUF)."""
_SHORTER: Final = (1000, 300, 100, 30)
"""How long the texts of a record may be that must fit into a pipe. An escaped character takes up to twelve bytes."""
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
"""O_NONBLOCK: a pipe that nobody reads is a failure, instead of a request that waits for ever."""


class AuditLog:
    """target: OFF, STDOUT or the path of a file. refuse_changes: whether changes need a line that says that they begin.
    on_failure: called for each line that could not be written."""

    def __init__(
        self, target: str = OFF, *, refuse_changes: bool = False, on_failure: Callable[[], None] | None = None
    ) -> None:
        self.is_on = target != OFF
        self.refuses_changes = self.is_on and refuse_changes
        self._path = None if target in (OFF, STDOUT) else target
        self._on_failure = on_failure
        self._file: int | None = None
        self._opened: tuple[int, int] | None = None  # device and inode
        self._lock = threading.Lock()
        self._failing = False

    def write(self, event: str, fields: Mapping[str, Any]) -> bool:
        """Append a record. Return whether it was written; a failure is logged once, and counted."""
        if not self.is_on:
            return True
        try:
            with self._lock:
                self._append(self._line(event, fields))
        except OSError as error:
            if not self._failing:
                _log.error("the audit log cannot be written: %s", error)
            self._failing = True
            if self._on_failure is not None:
                self._on_failure()
            return False
        self._failing = False
        return True

    def begin(self, fields: Mapping[str, Any]) -> None:
        """Record that a change begins, where the settings require it. Raises Unavailable if that is impossible."""
        if self.refuses_changes and not self.write("begin", fields):
            raise Unavailable("the audit log cannot be written, so that nothing may be changed")

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = self._opened = None

    def _line(self, event: str, fields: Mapping[str, Any]) -> bytes:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record = {"time": now, "event": event, **fields}
        line = _encode(record)
        if self._path is None:
            for length in _SHORTER:
                if len(line) <= _PIPE_BYTES:
                    break
                line = _encode(_shortened(record, length))
        return line

    def _append(self, line: bytes) -> None:
        """Raises OSError, having appended all of the line or nothing."""
        if self._path is None:
            os.write(1, line)
            return
        file = self._open_file(self._path)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            written = os.write(file, line)
            if written < len(line):
                raise OSError(f"only {written} of {len(line)} bytes could be written to {self._path}")
            return
        fcntl.lockf(file, fcntl.LOCK_EX)
        try:
            before = os.fstat(file).st_size
            written = os.write(file, line)
            if written < len(line):
                os.ftruncate(file, before)
                raise OSError(f"only {written} of {len(line)} bytes could be written to {self._path}")
        finally:
            fcntl.lockf(file, fcntl.LOCK_UN)

    def _open_file(self, path: str) -> int:
        """Return the file, opened again if another one has its name now."""
        try:
            found = os.stat(path)
            current = (found.st_dev, found.st_ino)
        except FileNotFoundError:
            current = None
        if self._file is None or current != self._opened:
            if self._file is not None:
                os.close(self._file)
                self._file = None
            self._file = os.open(path, _FLAGS, 0o600)
            opened = os.fstat(self._file)
            self._opened = (opened.st_dev, opened.st_ino)
        return self._file


def _shortened(record: Mapping[str, Any], length: int) -> dict[str, Any]:
    """Return a record without its lists and objects, and with texts of at most `length` characters."""
    short = {
        name: value[:length] if isinstance(value, str) else value
        for name, value in record.items()
        if isinstance(value, str | int) or value is None
    }
    return {**short, "shortened": True}


def _encode(record: Mapping[str, Any]) -> bytes:
    try:
        text = orjson.dumps(record, default=str).decode()
    except orjson.JSONEncodeError:  # text that is not valid Unicode
        text = orjson.dumps({name: repr(value) for name, value in record.items()}).decode()
    return printable(text).encode() + b"\n"
