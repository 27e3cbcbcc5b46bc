"""The identity of an SQLite file: the file that is open must be the one that is found under its name.

A process that holds a file open notices nothing when the file is removed or replaced, or when its file system is
unmounted: it goes on writing to a file that nobody will find again. So the file, and the two beside it, are recognised
by device and inode, which takes a microsecond each.
"""

import logging
import os
import time
from pathlib import Path

from storage.errors import Unavailable

_log = logging.getLogger(__name__)

_READERS_CHECK_S = 0.5
"""How old a check may be on which reads rely. Changes rely on one of their own."""

FileIdentity = tuple[int, int]
"""Device and inode."""


class DatabaseFile:
    """The file of a database, which is never made but by `create`.

    The first file that is found is held: from then on, another one under its name is an error, until a new process
    opens it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = str(path)
        self._companion_names = (f"{path}-wal", f"{path}-shm")
        self._held: FileIdentity | None = None
        self._checked_at = 0.0
        self._is_lost = False

    @property
    def uri(self) -> str:
        """The URI that opens the file without making it."""
        return f"{self.path.as_uri()}?mode=rw"

    def create(self) -> None:
        """Make the file if there is none, unless one has been held. Raises OSError; Unavailable."""
        if self._held is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # The file holds secrets. SQLite gives its journal files the same mode.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self.check()

    def hold(self, identity: FileIdentity | None) -> None:
        """Accept only the file that another process has held. None accepts any."""
        self._held = identity

    def held(self) -> FileIdentity | None:
        """The file that is held; None before the first check."""
        return self._held

    def check(self) -> None:
        """Raise Unavailable unless the file that is held, or any file before the first check, has the name."""
        found = _identity(self._name)
        if found is None or (self._held is not None and found != self._held):
            self._report(found)
        self._held = found
        self._is_lost = False
        self._checked_at = time.monotonic()

    def check_for_reads(self) -> None:
        """The same, unless a check has succeeded a moment ago."""
        if time.monotonic() - self._checked_at > _READERS_CHECK_S:
            self.check()

    def companions(self) -> tuple[FileIdentity | None, ...]:
        """The files with the journal and its index, which stay the same as long as a connection is open."""
        return tuple(map(_identity, self._companion_names))

    def check_companions(self, expected: tuple[FileIdentity | None, ...]) -> None:
        """Raise Unavailable unless `companions` are those that a connection uses."""
        if self.companions() != expected:
            self._lose("the journal of the catalogue was removed or replaced while the server ran; restart the server")

    def _report(self, found: FileIdentity | None) -> None:
        self._checked_at = 0.0
        if self._held is None:
            self._lose("the catalogue's file does not exist; is the folder mounted?")
        what = "removed, or its folder unmounted," if found is None else "replaced"
        self._lose(f"the catalogue's file was {what} while the server ran; put it back, or restart the server")

    def _lose(self, message: str) -> None:
        if not self._is_lost:
            self._is_lost = True
            _log.error("%s: %s", self.path, message)
        raise Unavailable(message)


def _identity(name: str) -> FileIdentity | None:
    try:
        status = os.stat(name)
    except OSError:
        return None
    return status.st_dev, status.st_ino
