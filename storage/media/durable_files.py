"""Files that survive crashes and the death of their writers: temporary files, and names that are durable."""

import contextlib
import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
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


class DurableFolders:
    """The folders of a store, on two levels below `root`: they appear as they are needed, and survive crashes.

    Each has a name of two hexadecimal digits, such as "ab/cd".
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        # A byte for each folder that is durable. A set of all paths would take 17 MiB in each process.
        self._outer = bytearray(16**2)
        self._inner = bytearray(16**4)

    def create(self, leaf: Path) -> None:
        """Create a folder on the second level. It is durable after the next `sync`. Raises OSError without the root."""
        try:
            leaf.mkdir()
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                leaf.parent.mkdir()
                self._outer[_number(leaf.parent.name)] = False
            with contextlib.suppress(FileExistsError):
                leaf.mkdir()
        except FileExistsError:
            return
        self._inner[_number(leaf.parent.name + leaf.name)] = False

    def sync(self, leaf: Path) -> None:
        """Make the names in a folder durable, and those of the folders that lead to it.

        The innermost comes first: on most file systems, that makes the others durable as well, and the rest cheap.
        """
        outer, inner = _number(leaf.parent.name), _number(leaf.parent.name + leaf.name)
        sync_directory(leaf)
        if not self._inner[inner]:
            # Even if this process has not created them: another one may not have made them durable yet.
            sync_directory(leaf.parent)
            if not self._outer[outer]:
                sync_directory(self._root)
                self._outer[outer] = True
            self._inner[inner] = True


def _number(digits: str) -> int:
    return int(digits, 16)


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


def link_or_copy(source: Path, target: Path, copies: Sequence[Path] = ()) -> None:
    """Give `target` the content of `source`, which nobody changes: as a hard link where possible, otherwise as a copy.

    A copy has the time of the source. It may be a hard link to one of `copies` that has its size and time.
    Durable after the next os.sync(). Raises FileNotFoundError without a source, FileExistsError with a target.
    """
    for same in (source, *(copy for copy in copies if _is_copy(copy, source))):
        try:
            os.link(same, target)
        except OSError as error:
            if error.errno not in (*_NO_HARD_LINKS, errno.EXDEV):
                raise
        else:
            return
    temporary = target.with_name(f".{target.name}")  # Found, and overwritten, after a crash.
    try:
        shutil.copyfile(source, temporary)
        shutil.copystat(source, temporary)
        name_if_absent(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _is_copy(path: Path, source: Path) -> bool:
    try:
        there, here = path.stat(), source.stat()
    except FileNotFoundError:
        return False
    return (there.st_size, there.st_mtime_ns) == (here.st_size, here.st_mtime_ns)


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


def write_all(fd: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
