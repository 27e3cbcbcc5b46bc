"""The file in which FileStore keeps one object: reading, and uploads.

It holds the bytes, then their description (JSON), then the length of the description and a magic number. One rename
thus replaces bytes and description together: after any interruption either the old or the new object is complete.
"""

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import logging
import os
import struct
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

from storage.errors import Conflict, Unavailable
from storage.media.object_store import DamagedObject, StoredObject

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_log = logging.getLogger(__name__)

_MAGIC = b"TAMSobj1"
_FOOTER = struct.Struct(">Q8s")
_TAIL_BYTES = 4096
_FILE_MODE = 0o640


@contextlib.contextmanager
def os_errors_as_unavailable(name: str) -> Iterator[None]:
    """Turn any OSError (full disk, lost mount, no permission, ...) into storage.errors.Unavailable.

    name: of the store, for the message.
    """
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{name} is unavailable: {error.strerror or error}") from error


class ObjectFile(io.RawIOBase):
    """The bytes of one object, open for reading, unbuffered. Deleting or replacing the object does not change them.

    stored: their description. modified: Unix time of the upload, in seconds.
    Raises FileNotFoundError, other OSErrors and DamagedObject.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._position = 0
        try:
            status = os.fstat(self._fd)
            self.modified = status.st_mtime
            self.object_id, self.stored = _describe(self._fd, status.st_size)
        except BaseException as error:
            if isinstance(error, DamagedObject):
                _log.error("%s: %s", error, path)
            self.close()
            raise

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read from the current position into `buffer`; 0 at the end. Raises OSError if the file has been truncated."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), max(self.stored.size - self._position, 0))
        if wanted == 0:
            return 0
        count = os.preadv(self._fd, [view[:wanted]], self._position)
        if count == 0:
            raise OSError(errno.EIO, "the file of an object has been truncated")
        self._position += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to `offset` bytes from the start (SEEK_SET), the current position (SEEK_CUR) or the end (SEEK_END)."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.stored.size}[whence]
        if base + offset < 0:
            raise ValueError(f"offset {offset} is before the first byte")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._fd)

    def __enter__(self) -> Self:
        return self


class Upload:
    """An upload in progress: `add` its bytes, then `commit`. Call `abort` in any case; after `commit` it does nothing.

    incoming: folder for the temporary file, in the same file system as `target`, the object's file.
    prepare: creates the folder of `target` durably. name: of the store, for messages.
    The temporary file is locked while its writer lives (`remove_abandoned`).
    Every method may raise storage.errors.Unavailable; only `abort` may follow.
    """

    def __init__(
        self,
        incoming: Path,
        target: Path,
        object_id: str,
        content_type: str,
        *,
        prepare: Callable[[Path], None],
        name: str,
    ) -> None:
        self.size = 0
        self._target = target
        self._object_id = object_id
        self._content_type = content_type
        self._prepare = prepare
        self._name = name
        self._md5 = hashlib.md5(usedforsecurity=False)
        with os_errors_as_unavailable(name):
            self._temporary, self._fd = _create_locked(incoming)
        self._open = True

    @property
    def etag(self) -> str:
        """MD5 of the bytes so far, in hexadecimal, like an ETag of S3."""
        return self._md5.hexdigest()

    def add(self, data: bytes) -> None:
        """Append bytes."""
        with os_errors_as_unavailable(self._name):
            _write_all(self._fd, data)
        self._md5.update(data)
        self.size += len(data)

    def commit(self, *, replace: bool = True, checksum: str | None = None) -> StoredObject:
        """Make the object visible. It survives a crash of the machine once this returns.

        checksum: of the bytes, to be kept with them (StoredObject).
        Raises storage.errors.Conflict if `replace` is False and the object exists already.
        """
        stored = StoredObject(self.size, self._content_type, self.etag, checksum=checksum)
        with os_errors_as_unavailable(self._name):
            _write_all(self._fd, _description(self._object_id, stored))
            os.fsync(self._fd)
            self._prepare(self._target.parent)
            if replace:
                os.rename(self._temporary, self._target)
            else:
                self._publish_new()
            sync_directory(self._target.parent)
            self._close()
        return stored

    def abort(self) -> None:
        """Discard the upload, unless it was committed."""
        if self._open:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
            with contextlib.suppress(OSError):
                self._close()

    def _publish_new(self) -> None:
        try:
            os.link(self._temporary, self._target)
        except FileExistsError:
            raise Conflict(f"the bytes of object {self._object_id!r} already exist") from None
        os.unlink(self._temporary)

    def _close(self) -> None:
        self._open = False
        os.close(self._fd)


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


def _create_locked(incoming: Path) -> tuple[Path, int]:
    while True:
        path = incoming / uuid.uuid4().hex
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            return path, fd
        # Another process removed it as abandoned before it was locked.
        os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _description(object_id: str, stored: StoredObject) -> bytes:
    members = {"id": object_id, "size": stored.size, "content_type": stored.content_type, "etag": stored.etag}
    if stored.checksum is not None:
        members["checksum"] = stored.checksum
    text = json.dumps(members).encode("ascii")
    return text + _FOOTER.pack(len(text), _MAGIC)


def _describe(fd: int, file_size: int) -> tuple[str, StoredObject]:
    damaged = DamagedObject("the file of the object is damaged: it does not end with the description of an object")
    tail = os.pread(fd, _TAIL_BYTES, max(file_size - _TAIL_BYTES, 0))
    if len(tail) < _FOOTER.size:
        raise damaged
    length, magic = _FOOTER.unpack(tail[-_FOOTER.size :])
    size = file_size - length - _FOOTER.size
    if magic != _MAGIC or size < 0:
        raise damaged
    if length + _FOOTER.size > len(tail):
        tail = os.pread(fd, length + _FOOTER.size, size)
    try:
        members = json.loads(tail[-_FOOTER.size - length : -_FOOTER.size])
        modified = os.fstat(fd).st_mtime_ns // 1000
        stored = StoredObject(
            members["size"], members["content_type"], members["etag"], modified, members.get("checksum")
        )
        object_id: str = members["id"]
    except (ValueError, KeyError, TypeError):
        raise damaged from None
    if stored.size != size:
        raise damaged
    return object_id, stored
