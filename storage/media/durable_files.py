"""Files that survive crashes and the death of their writers: temporary files, and names that are durable."""

import contextlib
import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from storage.errors import Unavailable

_FILE_MODE = 0o640
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


@contextlib.contextmanager
def os_errors_as_unavailable(name: str) -> Iterator[None]:
    """Turn any OSError (full disk, lost mount, no permission, ...) into storage.errors.Unavailable.

    name: of the store, for the message.
    """
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{name} is unavailable: {error.strerror or error}") from error


def remove_abandoned(incoming: Path) -> int:
    """Remove the temporary files of dead writers, which nobody has locked any more, and return their number.

    On file systems without locks nothing is removed.
    """
    removed = 0
    for path in list(incoming.iterdir()):
        with contextlib.suppress(OSError), path.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed += 1
    return removed


def sync_directory(path: Path) -> None:
    """Make the names in a folder durable: they survive a crash of the machine once this returns."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def name_if_absent(path: Path, target: Path) -> None:
    """Give a file the name `target`, unless something has that name. Raises FileExistsError.

    On file systems without hard links the file loses its earlier name, and processes exclude each other by a lock.
    """
    try:
        os.link(path, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        fd = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
            os.rename(path, target)
        finally:
            os.close(fd)


def create_locked(incoming: Path) -> tuple[Path, int]:
    while True:
        path = incoming / uuid.uuid4().hex
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return path, fd
        # Another process removed it as abandoned before it was locked.
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
