"""The identity of an SQLite file: the file that is open must be the one that is found under its name.

A process that holds a file open notices nothing when the file is removed or replaced, or when its file system is
unmounted: it goes on writing to a file that nobody will find again. So the file, and the two beside it, are recognised
by device and inode, which takes a microsecond each.

A file that is overwritten in place, as `cp` does, or truncated, keeps its inode, but has fewer bytes at least for a
moment. SQLite would go on with the pages that it has in memory. The database never shrinks but by VACUUM, nor do the
files beside it as long as a connection is open, but by a checkpoint of another program (sqlite_journal.py). So a
smaller one is an error too. The last connection to close removes those, and the next ones often get their inodes.
"""

import logging
import os
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

from storage.errors import Unavailable
from storage.tables.sqlite_journal import is_whole

_log = logging.getLogger(__name__)

_READERS_CHECK_S = 0.5
"""How old a check may be on which reads rely. Changes rely on one of their own."""

_FILE_TRUNCATED = "the catalogue's file was overwritten or truncated while the server ran; restore a backup"
_JOURNAL_TRUNCATED = "the journal of the catalogue was overwritten or truncated while the server ran; restore a backup"
_JOURNAL_REPLACED = "the journal of the catalogue was removed or replaced while the server ran; restart the server"

FileIdentity = tuple[int, int]
"""Device and inode."""


class KnownFile(NamedTuple):
    """A file as it was looked at last. size: in bytes."""

    identity: FileIdentity
    size: int

    def has_shrunk_to(self, found: "KnownFile") -> bool:
        return self.identity == found.identity and found.size < self.size


Companions = tuple[KnownFile | None, ...]
"""The two files beside a database."""


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
        self._known: KnownFile | None = None
        self._checked_at = 0.0
        self._logged = ""

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
        known = self._known  # first: other threads may note a size that it reaches after it was looked at
        found = _look_at(self._name)
        if found is None or (self._held is not None and found.identity != self._held):
            self._report(found)
        if known is not None and known.has_shrunk_to(found):
            self._lose(_FILE_TRUNCATED)
        self._known = found
        self._held = found.identity
        self._checked_at = time.monotonic()

    def check_for_reads(self) -> None:
        """The same, unless a check has succeeded a moment ago."""
        if time.monotonic() - self._checked_at > _READERS_CHECK_S:
            self.check()

    def companions(self) -> Companions:
        """The files with the journal and its index, which stay the same as long as a connection is open."""
        return tuple(map(_look_at, self._companion_names))

    def check_companions(self, known: Companions) -> Companions:
        """Return the same, for the next check of a connection that knew these.

        Raises Unavailable unless they are the files that the connection uses, with all the bytes that they had.
        """
        found = self.companions()
        for before, now in zip(known, found, strict=True):
            if (before and before.identity) != (now and now.identity):
                self._lose(_JOURNAL_REPLACED)
            has_shrunk = before is not None and now is not None and before.has_shrunk_to(now)
            if has_shrunk and not is_whole(*self._companion_names):
                self._lose(_JOURNAL_TRUNCATED)
        self._logged = ""
        return found

    def _report(self, found: KnownFile | None) -> NoReturn:
        self._checked_at = 0.0
        if self._held is None:
            self._lose("the catalogue's file does not exist; is the folder mounted?")
        what = "removed, or its folder unmounted," if found is None else "replaced"
        self._lose(f"the catalogue's file was {what} while the server ran; put it back, or restart the server")

    def _lose(self, message: str) -> NoReturn:
        """Log what was lost, once until a change is possible again, and raise Unavailable."""
        if message != self._logged:
            self._logged = message
            _log.error("%s: %s", self.path, message)
        raise Unavailable(message)


def _look_at(name: str) -> KnownFile | None:
    try:
        status = os.stat(name)
    except OSError:
        return None
    return KnownFile((status.st_dev, status.st_ino), status.st_size)
