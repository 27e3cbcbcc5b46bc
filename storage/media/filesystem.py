"""The object store of a server without S3: files in a folder, with URLs that this server answers itself.

<root>/objects/ab/cd/abcd...   one file for each object (object_file.py), named by the SHA-256 of its id alone; its
                               extension is in URLs only
<root>/incoming/...            uploads in progress
"""

import hashlib
import io
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from storage.errors import NotFound, Unavailable
from storage.media.durable_files import os_errors_as_unavailable, remove_abandoned, sync_directory
from storage.media.names import split_name
from storage.media.object_file import ObjectFile, Upload
from storage.media.object_store import (
    AllocationTerm,
    Backend,
    DamagedObject,
    DownloadUrl,
    ObjectStore,
    StoredObject,
    UploadRequest,
)
from storage.media.signing import UrlSigner, media_path, signed_path

_log = logging.getLogger(__name__)

_NAME_LENGTH = 64


class FileStore(ObjectStore):
    """An ObjectStore in the folder `root`, shared by any number of processes.

    secret: signs URLs; the same in every process, at least 16 bytes (ValueError otherwise).
    upload_timeout_s, download_timeout_s: lifetime of presigned URLs in seconds, without the grace period (TMO-04).
    may_be_missing: accept a `root` that does not exist, such as a lost mount. Using the store then raises Unavailable.

    The constructor creates the folders and removes what uploads of dead processes left behind.
    """

    def __init__(
        self,
        root: Path,
        backend: Backend,
        secret: bytes,
        *,
        upload_timeout_s: int,
        download_timeout_s: int,
        may_be_missing: bool = False,
    ) -> None:
        self.backend = backend
        self.extension_is_free = True
        self.unsigned = True
        self._name = f"storage backend {backend.id}"
        self._signer = UrlSigner(secret)
        self._upload_timeout_s = upload_timeout_s
        self._download_timeout_s = download_timeout_s
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._durable_folders: set[Path] = set()
        self._prepared = False
        try:
            self._prepare(parents=not may_be_missing)
            self.remove_abandoned()
        except Unavailable:
            if not may_be_missing:
                raise

    def upload_request(
        self, name: str, content_type: str, *, presigned: bool, base_url: str, term: AllocationTerm | None = None
    ) -> UploadRequest:
        """The PUT that uploads the object (STO-17, STO-27, INT-04). No I/O."""
        object_id, extension = split_name(name)
        url = base_url + media_path(self.backend.id, object_id, extension)
        if presigned:
            path = signed_path(self.backend.id, object_id)
            if term is None:
                query = self._signer.sign("PUT", path, self._upload_timeout_s, content_type)
            else:
                query = self._signer.sign_upload(path, self._upload_timeout_s, content_type, term)
            url = f"{url}?{query}"
        return UploadRequest(url, content_type, presigned)

    def download_urls(self, name: str, *, presigned: bool | None, base_url: str) -> list[DownloadUrl]:
        """URLs from which to read the object, presigned ones first (SEG-GET-32, SEG-GET-43). No I/O."""
        object_id, extension = split_name(name)
        url = base_url + media_path(self.backend.id, object_id, extension)
        urls = []
        if presigned is not False:
            query = self._signer.sign("GET", signed_path(self.backend.id, object_id), self._download_timeout_s)
            urls.append(DownloadUrl(f"{url}?{query}", presigned=True))
        if presigned is not True:
            urls.append(DownloadUrl(url, presigned=False))
        return urls

    def check_signature(self, method: str, object_id: str, query: str) -> str:
        """Check the query of a presigned URL, and return the content type it was signed for ("" for downloads).

        method: "GET" or "PUT". Raises storage.errors.Forbidden unless the signature permits the request now.
        """
        return self._signer.check(method, signed_path(self.backend.id, object_id), query)

    def stat(self, name: str) -> StoredObject | None:
        """What is stored under the name; None if no upload has finished."""
        try:
            with self.open_unbuffered(name) as file:
                return file.stored
        except NotFound:
            return None

    def open(self, name: str) -> BinaryIO:
        """The bytes, from the first on. Deleting or replacing the object does not change them. Raises NotFound."""
        return io.BufferedReader(self.open_unbuffered(name))

    def open_unbuffered(self, name: str) -> ObjectFile:
        """The bytes as `open` returns them, unbuffered and with their description. Raises NotFound."""
        with os_errors_as_unavailable(self._name):
            try:
                return ObjectFile(self._file_of(name))
            except FileNotFoundError:
                self._require_mount()
        raise NotFound(f"object {split_name(name)[0]!r} has no bytes in {self._name}")

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
        target, object_id = self._file_of(name), split_name(name)[0]
        self._prepare()
        return Upload(
            self._incoming, target, object_id, content_type, prepare=self._make_durable_folder, name=self._name
        )

    def delete(self, name: str) -> None:
        """Remove the bytes, if there are any."""
        path = self._file_of(name)
        with os_errors_as_unavailable(self._name):
            try:
                path.unlink()
            except FileNotFoundError:
                self._require_mount()
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
        self._prepare()
        with os_errors_as_unavailable(self._name), tempfile.TemporaryFile(dir=self._incoming) as probe:
            self._require_mount()
            probe.write(b"probe")
            probe.flush()

    def object_ids(self) -> Iterator[str]:
        """The ids of all objects with bytes here. Files that are not complete objects are logged and left out."""
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

    def _prepare(self, *, parents: bool = False) -> None:
        """Create the folders, once only: a folder that is missing later has been lost, which must not go unnoticed."""
        if not self._prepared:
            with os_errors_as_unavailable(self._name):
                self._objects.mkdir(parents=parents, exist_ok=True)
                self._incoming.mkdir(exist_ok=True)
                sync_directory(self._objects.parent)
            self._prepared = True

    def _file_of(self, name: str) -> Path:
        digest = hashlib.sha256(split_name(name)[0].encode("utf-8", "surrogatepass")).hexdigest()
        return self._objects / digest[:2] / digest[2:4] / digest

    def _require_mount(self) -> None:
        """Raise OSError if the mount is lost, which must not look like a store without objects."""
        self._objects.stat()

    def _make_durable_folder(self, leaf: Path) -> None:
        for folder in (leaf.parent, leaf):
            try:
                folder.mkdir()
            except FileExistsError:
                if folder in self._durable_folders:
                    continue
            # Even if the folder existed: another process may have created it and not synced it yet.
            sync_directory(folder.parent)
            self._durable_folders.add(folder)


def _raise(error: OSError) -> None:
    raise error
