"""The identity of an SQLite file: the file that is open must be the one that is found under its name.

A process that holds a file open notices nothing when the file is removed or replaced, or when its file system is
unmounted: it goes on writing to a file that nobody will find again. So the file, and the two beside it, are recognised
by device and inode, which takes a microsecond each.

A file that is overwritten in place, as `cp` does, or truncated, keeps its inode, but has fewer bytes at least for a
moment. SQLite would go on with the pages that it has in memory. Neither the database nor its journal ever shrinks while
it is in use, so a smaller one is an error too.
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


class _Sizes:
    """The largest size, in bytes, that this process has seen of a file."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[FileIdentity, int]] = {}

    def identity(self, name: str) -> tuple[FileIdentity | None, bool]:
        """Return the identity of a file, None if there is none, and whether it has shrunk."""
        seen = self._seen.get(name)  # first: other threads may note a size that it reaches after it was looked at
        try:
            status = os.stat(name)
        except OSError:
            return None, False
        found = status.st_dev, status.st_ino
        if seen is None or seen[0] != found or seen[1] < status.st_size:
            self._seen[name] = found, status.st_size
            return found, False
        return found, status.st_size < seen[1]


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
        self._sizes = _Sizes()
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
        """Raise Unavailable unless the file that is held, or any file before the first check, has the name.

        And unless it has all the bytes that it once had.
        """
        found, has_shrunk = self._sizes.identity(self._name)
        if found is None or (self._held is not None and found != self._held):
            self._report(found)
        if has_shrunk:
            self._lose("the catalogue's file was overwritten or truncated while the server ran; restore a backup")
        self._held = found
        self._is_lost = False
        self._checked_at = time.monotonic()

    def check_for_reads(self) -> None:
        """The same, unless a check has succeeded a moment ago."""
        if time.monotonic() - self._checked_at > _READERS_CHECK_S:
            self.check()

    def companions(self) -> tuple[FileIdentity | None, ...]:
        """The files with the journal and its index, which stay the same as long as a connection is open."""
        return tuple(self._sizes.identity(name)[0] for name in self._companion_names)

    def check_companions(self, expected: tuple[FileIdentity | None, ...]) -> None:
        """Raise Unavailable unless `companions` are those that a connection uses, with all the bytes that they had."""
        found = [self._sizes.identity(name) for name in self._companion_names]
        if tuple(identity for identity, _ in found) != expected:
            self._lose("the journal of the catalogue was removed or replaced while the server ran; restart the server")
        if any(has_shrunk for _, has_shrunk in found):
            self._lose(
                "the journal of the catalogue was overwritten or truncated while the server ran; restore a backup"
            )

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
