"""The file in which FileStore keeps one object: reading, and uploads.

It holds the bytes, then their description (storage.media.object_description). One rename thus replaces bytes and
description together: after any interruption either the old or the new object is complete.
"""

import contextlib
import errno
import fcntl
import hashlib
import io
import logging
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from storage import error_codes
from storage.errors import Conflict
from storage.free_space import FreeSpace
from storage.media.durable_files import (
    DurableFolders,
    create_locked,
    name_if_absent,
    os_errors_as_unavailable,
    write_all,
)
from storage.media.object_description import description, read_description
from storage.media.object_store import DamagedObject, StoredObject

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_log = logging.getLogger(__name__)

_HASHED_APART_BYTES = 256 * 1024

# The threads start with the first large upload, and never in a process that is about to fork.
_hashers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hash-upload")


class ObjectFile(io.RawIOBase):
    """The bytes of one object, open for reading, unbuffered. Deleting or replacing the object does not change them.

    object_id: of the object to read; None for whatever the file holds.
    stored: their description. modified: Unix time of the upload, in seconds.
    Raises FileNotFoundError, other OSErrors and DamagedObject.
    """

    def __init__(self, path: Path, object_id: str | None = None) -> None:
        super().__init__()
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._position = 0
        try:
            status = os.fstat(self._fd)
            self.modified = status.st_mtime
            self.object_id, self.stored = read_description(self._fd, status.st_size)
            if object_id not in (None, self.object_id):
                raise DamagedObject(
                    "the file of the object is damaged: it is that of another object", code=error_codes.DAMAGED
                )
        except BaseException as error:
            if isinstance(error, DamagedObject):
                _log.error("%s: %s", error, path)
            self.close()
            raise

    @property
    def descriptor(self) -> int:
        """The file descriptor. More than the bytes of the object can be read from it, hence not `fileno`."""
        return self._fd

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

    In place of `commit`: `complete`, then `publish_new` or `replace`, which `withdraw` undoes until `abort` is called.

    incoming: folder for temporary files, in the same file system as `target`, the object's file.
    folders: those of the objects. name: of the store, for messages. space: required for every piece; None for any.
    Temporary files are locked while their writer lives (`remove_abandoned`).
    Every method may raise storage.errors.Unavailable; only `withdraw` and `abort` may follow.
    """

    buffer_bytes = 0
    """As for IncomingObject: the bytes are written as they come."""

    def __init__(
        self,
        incoming: Path,
        target: Path,
        object_id: str,
        content_type: str,
        *,
        folders: DurableFolders,
        name: str,
        space: FreeSpace | None = None,
    ) -> None:
        self.size = 0
        self._incoming = incoming
        self._target = target
        self._previous: _Previous | None = None
        self._object_id = object_id
        self._content_type = content_type
        self._folders = folders
        self._name = name
        self._space = space
        self._md5 = hashlib.md5(usedforsecurity=False)
        with os_errors_as_unavailable(name):
            self._temporary, self._fd = create_locked(incoming)
        self._open = True

    @property
    def etag(self) -> str:
        """MD5 of the bytes so far, in hexadecimal, like an ETag of S3."""
        return self._md5.hexdigest()

    def add(self, data: bytes | memoryview) -> None:
        """Append bytes. Large pieces are hashed by another thread while they are written."""
        if len(data) < _HASHED_APART_BYTES:
            self._md5.update(data)
            self._write(data)
        else:
            hashing = _hashers.submit(self._md5.update, data)
            try:
                self._write(data)
            finally:
                hashing.result()
        self.size += len(data)

    def _write(self, data: bytes | memoryview) -> None:
        if self._space is not None:
            self._space.require()
        with os_errors_as_unavailable(self._name):
            write_all(self._fd, data)

    def commit(self, *, replace: bool = True, checksum: str | None = None) -> StoredObject:
        """Make the object visible. It survives a crash of the machine once this returns.

        checksum: of the bytes, to be kept with them (StoredObject).
        Raises storage.errors.Conflict if `replace` is False and the object exists already.
        """
        stored = self.complete(checksum)
        if replace:
            with os_errors_as_unavailable(self._name):
                os.rename(self._temporary, self._target)
                self._folders.sync(self._target.parent)
        else:
            self.publish_new()
        self.abort()
        return stored

    def complete(self, checksum: str | None = None) -> StoredObject:
        """Make the bytes durable, without making them visible. checksum: as for `commit`."""
        stored = StoredObject(self.size, self._content_type, self.etag, checksum=checksum)
        with os_errors_as_unavailable(self._name):
            write_all(self._fd, description(self._object_id, stored))
            os.fsync(self._fd)
            self._folders.create(self._target.parent)
        return stored

    def publish_new(self) -> None:
        """Make the object visible. Raises storage.errors.Conflict if it exists already."""
        with os_errors_as_unavailable(self._name):
            try:
                name_if_absent(self._temporary, self._target)
            except FileExistsError:
                raise Conflict(
                    f"the bytes of object {self._object_id!r} already exist", code=error_codes.OBJECT_WRITTEN_CONFLICT
                ) from None
            self._folders.sync(self._target.parent)

    def replace(self) -> None:
        """Make the object visible in place of the earlier one, which is kept until `abort`."""
        with os_errors_as_unavailable(self._name):
            self._previous = _keep(self._target, self._incoming)
            self._put_in_place(self._temporary)
            self._folders.sync(self._target.parent)

    def withdraw(self) -> None:
        """Undo `publish_new` or `replace`, if the object is still the one of this upload."""
        with os_errors_as_unavailable(self._name):
            if self._is_in_place():
                if self._previous is None:
                    os.unlink(self._target)
                else:
                    self._put_in_place(self._previous.path)
                self._folders.sync(self._target.parent)
            self._forget_previous()

    def abort(self) -> None:
        """Discard what has not been published, and close the upload."""
        if self._open:
            self._open = False
            with contextlib.suppress(OSError):
                self._forget_previous()
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
            with contextlib.suppress(OSError):
                os.close(self._fd)

    def _put_in_place(self, path: Path) -> None:
        """Give the file at `path` the name of the object too, in one step."""
        second = self._incoming / uuid.uuid4().hex
        os.link(path, second)
        os.rename(second, self._target)

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._target), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def _forget_previous(self) -> None:
        previous, self._previous = self._previous, None
        if previous is not None:
            os.unlink(previous.path)
            os.close(previous.fd)


@dataclass(frozen=True, slots=True)
class _Previous:
    """A second name of the file that an upload replaces. fd: locked, so that it does not count as abandoned."""

    path: Path
    fd: int


def _keep(target: Path, incoming: Path) -> _Previous:
    path = incoming / uuid.uuid4().hex
    os.link(target, path)
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return _Previous(path, fd)
