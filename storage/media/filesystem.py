"""The object store of a server without S3: files in a folder, with URLs that this server answers itself.

<root>/objects/ab/cd/abcd...   one file for each object (object_file.py), named by the SHA-256 of its id alone; its
                               extension is in URLs only
<root>/incoming/...            uploads in progress
<root>/tams-backend            the id of the storage backend (marker.py)
"""

import hashlib
import io
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from storage import error_codes
from storage.errors import NotFound, Unavailable
from storage.free_space import FreeSpace
from storage.media.durable_files import (
    DurableFolders,
    link_or_copy,
    os_errors_as_unavailable,
    remove_abandoned,
    sync_directory,
)
from storage.media.file_urls import FileUrls
from storage.media.marker import NO_OWNER, FolderMarker, Owner, UnknownPlace
from storage.media.names import split_name
from storage.media.object_file import ObjectFile, Upload
from storage.media.object_store import (
    AllocationTerm,
    Backend,
    DamagedObject,
    DownloadUrls,
    ObjectStore,
    StoredObject,
    UploadRequest,
)
from storage.media.url_keys import UrlKeys

_log = logging.getLogger(__name__)

_NAME_LENGTH = 64


class FileStore(ObjectStore):
    """An ObjectStore in the folder `root`, shared by any number of processes.

    secret: signs URLs, as for UrlSigner; url_keys: the keys that it stands for.
    upload_timeout_s, download_timeout_s: lifetime of presigned URLs in seconds, without the grace period (TMO-04).
    may_be_missing: accept a `root` that does not exist, such as a lost mount. Using the store then raises Unavailable.
    owner: the catalogue of the objects (storage.media.marker).
    reserve: free space in bytes below which nothing is stored.

    The constructor creates the folders and removes what uploads of dead processes left behind. In a folder that is not
    that of the backend, using the store raises UnknownPlace.
    """

    def __init__(
        self,
        root: Path,
        backend: Backend,
        secret: bytes | UrlKeys,
        *,
        upload_timeout_s: int,
        download_timeout_s: int,
        may_be_missing: bool = False,
        owner: Owner = NO_OWNER,
        reserve: int = 0,
    ) -> None:
        self.backend = backend
        self.extension_is_free = True
        self.is_remote = False
        self.unsigned = True
        self._name = f"storage backend {backend.id}"
        self._urls = FileUrls(
            backend.id, secret, upload_timeout_s=upload_timeout_s, download_timeout_s=download_timeout_s
        )
        self.url_keys = self._urls.keys
        self._root = root
        self._marker = FolderMarker(root, backend.id, self._name, owner)
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._space = FreeSpace(root, reserve, f"the file system of {self._name}")
        self._folders = DurableFolders(self._objects)
        self._may_be_missing = may_be_missing
        self._prepared = False
        try:
            self.check_place()
            self.remove_abandoned()
        except UnknownPlace:
            pass  # It has been logged.
        except Unavailable:
            if not may_be_missing:
                raise

    def upload_requests(
        self,
        names: Sequence[str],
        content_type: str,
        *,
        presigned: bool,
        base_url: str,
        term: AllocationTerm | None = None,
    ) -> list[UploadRequest]:
        """The PUTs that upload the objects (STO-17, STO-27, INT-04). No I/O."""
        return self._urls.uploads(names, content_type, presigned=presigned, base_url=base_url, term=term)

    def download_urls(
        self, names: Sequence[str], *, presigned: bool | None, base_url: str, stable: bool = False
    ) -> DownloadUrls:
        """URLs from which to read the objects (SEG-GET-32, SEG-GET-43). No I/O."""
        return self._urls.downloads(names, presigned=presigned, base_url=base_url, stable=stable)

    def check_signature(self, method: str, object_id: str, query: str) -> str:
        """Check the query of a presigned URL, and return the content type it was signed for ("" for downloads).

        method: "GET" or "PUT". Raises storage.errors.Forbidden unless the signature permits the request now.
        """
        return self._urls.check(method, object_id, query)

    def stat(self, name: str) -> StoredObject | None:
        """What is stored under the name; None if no upload has finished."""
        try:
            with self.open_unbuffered(name) as file:
                return file.stored
        except NotFound:
            return None

    def file_of(self, name: str) -> Path:
        """The file with the bytes, if there are any. It is replaced and removed, but never changed."""
        digest = hashlib.sha256(split_name(name)[0].encode("utf-8", "surrogatepass")).hexdigest()
        return self._objects / digest[:2] / digest[2:4] / digest

    def open(self, name: str) -> BinaryIO:
        """The bytes, from the first on. Deleting or replacing the object does not change them. Raises NotFound."""
        return io.BufferedReader(self.open_unbuffered(name))

    def open_unbuffered(self, name: str) -> ObjectFile:
        """The bytes as `open` returns them, unbuffered and with their description. Raises NotFound."""
        with os_errors_as_unavailable(self._name):
            try:
                return ObjectFile(self.file_of(name), split_name(name)[0])
            except FileNotFoundError:
                self.check_place()
        raise self.missing(name)

    def missing(self, name: str) -> NotFound:
        """The error for an object without bytes here."""
        return NotFound(
            f"object {split_name(name)[0]!r} has no bytes in {self._name}", code=error_codes.MEDIA_NOT_FOUND
        )

    def write(self, name: str, content_type: str, chunks: Iterator[bytes]) -> StoredObject:
        """Store the bytes durably, all or nothing, replacing any earlier ones. `chunks` may raise anything."""
        upload = self.begin(name, content_type)
        try:
            for chunk in chunks:
                upload.add(chunk)
            return upload.commit()
        finally:
            upload.abort()

    def begin(self, name: str, content_type: str) -> Upload:
        """Start an upload in pieces. Nothing of it is visible before its `commit`."""
        target, object_id = self.file_of(name), split_name(name)[0]
        self.check_place()
        self._space.require()
        return Upload(
            self._incoming,
            target,
            object_id,
            content_type,
            folders=self._folders,
            name=self._name,
            space=self._space,
        )

    def adopt(self, name: str, file: Path) -> None:
        """Store the bytes in `file`, which a FileStore has written, unless there are any that are not damaged.

        Durable after os.sync().
        """
        self.check_place()
        target = self.file_of(name)
        with os_errors_as_unavailable(self._name):
            self._folders.create(target.parent)
            try:
                link_or_copy(file, target)
            except FileExistsError:
                if self._is_damaged(name):
                    target.unlink()
                    link_or_copy(file, target)

    def _is_damaged(self, name: str) -> bool:
        try:
            self.open_unbuffered(name).close()
        except DamagedObject:
            return True
        return False

    def delete(self, name: str) -> None:
        """Remove the bytes, if there are any."""
        path = self.file_of(name)
        with os_errors_as_unavailable(self._name):
            try:
                path.unlink()
            except FileNotFoundError:
                self.check_place()
            else:
                sync_directory(path.parent)

    def delete_many(self, names: Iterable[str]) -> list[str]:
        """Remove the bytes of many objects, one after another. Returns the names of those that have none now."""
        removed: list[str] = []
        failures: list[Unavailable] = []
        for name in names:
            try:
                self.delete(name)
            except Unavailable as error:
                failures.append(error)
            else:
                removed.append(name)
        if failures and not removed:
            raise failures[0]
        if failures:
            _log.warning("%d objects could not be removed; the first: %s", len(failures), failures[0])
        return removed

    def copy_from(self, other: ObjectStore, name: str, source_name: str | None = None) -> bool:
        """False: a folder cannot copy by itself."""
        return False

    def check(self) -> None:
        """Raise Unavailable unless files can be written here."""
        self.check_place()
        self._space.require()
        with os_errors_as_unavailable(self._name), tempfile.TemporaryFile(dir=self._incoming) as probe:
            probe.write(b"probe")
            probe.flush()

    def object_ids(self) -> Iterator[str]:
        """The ids of all objects with bytes here. Files that are not complete objects are logged and left out."""
        self.check_place()
        with os_errors_as_unavailable(self._name):
            for folder, _, names in os.walk(self._objects, onerror=_raise):
                for name in names:
                    if len(name) != _NAME_LENGTH:
                        continue
                    try:
                        with ObjectFile(Path(folder, name)) as file:
                            object_id = file.object_id
                    except (FileNotFoundError, DamagedObject):
                        continue
                    yield object_id

    def remove_abandoned(self) -> int:
        """Remove what the uploads of dead processes left behind, and return their number. A cheap call."""
        with os_errors_as_unavailable(self._name):
            removed = remove_abandoned(self._incoming)
        if removed:
            _log.info("removed %d abandoned uploads from %s", removed, self._incoming)
        return removed

    def check_place(self) -> None:
        """Raise Unavailable unless the folder is that of the backend. Creates it at its first use.

        What a check once found missing must not go unnoticed later: a store whose mount is lost is not without objects.
        """
        with os_errors_as_unavailable(self._name):
            if not self._prepared:
                self._prepare()
            self._marker.check()
            self._objects.stat()

    def _prepare(self) -> None:
        if not self._root.exists():
            if not self._marker.may_create_root:
                raise self._marker.missing()
            if not self._may_be_missing:
                self._root.mkdir(parents=True, exist_ok=True)
        self._marker.check()
        self._objects.mkdir(exist_ok=True)
        self._incoming.mkdir(exist_ok=True)
        sync_directory(self._root)
        self._prepared = True


def _raise(error: OSError) -> None:
    raise error
