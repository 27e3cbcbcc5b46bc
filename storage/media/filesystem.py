"""The object store of a server without S3: files in a folder, with URLs that this server answers itself.

<root>/objects/ab/cd/abcd...   one file for each object (object_file.py), named by the SHA-256 of its id
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
from storage.media.object_file import ObjectFile, Upload, os_errors_as_unavailable, remove_abandoned, sync_directory
from storage.media.object_store import Backend, DamagedObject, DownloadUrl, ObjectStore, StoredObject, UploadRequest
from storage.media.signing import UrlSigner, media_path

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

    def upload_request(self, object_id: str, content_type: str, *, presigned: bool, base_url: str) -> UploadRequest:
        """The PUT that uploads `object_id` (STO-17, STO-27, INT-04). No I/O."""
        path = media_path(self.backend.id, object_id)
        url = base_url + path
        if presigned:
            url = f"{url}?{self._signer.sign('PUT', path, self._upload_timeout_s, content_type)}"
        return UploadRequest(url, content_type, presigned)

    def download_urls(self, object_id: str, *, presigned: bool | None, base_url: str) -> list[DownloadUrl]:
        """URLs from which to read `object_id`, presigned ones first (SEG-GET-32, SEG-GET-43). No I/O."""
        path = media_path(self.backend.id, object_id)
        urls = []
        if presigned is not False:
            query = self._signer.sign("GET", path, self._download_timeout_s)
            urls.append(DownloadUrl(f"{base_url}{path}?{query}", presigned=True))
        if presigned is not True:
            urls.append(DownloadUrl(base_url + path, presigned=False))
        return urls

    def check_signature(self, method: str, object_id: str, query: str) -> str:
        """Check the query of a presigned URL, and return the content type it was signed for ("" for downloads).

        method: "GET" or "PUT". Raises storage.errors.Forbidden unless the signature permits the request now.
        """
        return self._signer.check(method, media_path(self.backend.id, object_id), query)

    def stat(self, object_id: str) -> StoredObject | None:
        """What is stored for `object_id`; None if no upload has finished."""
        try:
            with self.open_unbuffered(object_id) as file:
                return file.stored
        except NotFound:
            return None

    def open(self, object_id: str) -> BinaryIO:
        """The bytes, from the first on. Deleting or replacing the object does not change them. Raises NotFound."""
        return io.BufferedReader(self.open_unbuffered(object_id))

    def open_unbuffered(self, object_id: str) -> ObjectFile:
        """The bytes as `open` returns them, unbuffered and with their description. Raises NotFound."""
        with os_errors_as_unavailable(self._name):
            try:
                return ObjectFile(self._file_of(object_id))
            except FileNotFoundError:
                self._require_mount()
        raise NotFound(f"object {object_id!r} has no bytes in {self._name}")

    def write(self, object_id: str, content_type: str, chunks: Iterator[bytes]) -> StoredObject:
        """Store the bytes durably, all or nothing, replacing any earlier ones. `chunks` may raise anything."""
        upload = self.begin(object_id, content_type)
        try:
            for chunk in chunks:
                upload.add(chunk)
            return upload.commit()
        finally:
            upload.abort()

    def begin(self, object_id: str, content_type: str) -> Upload:
        """Start an upload in pieces. Nothing of it is visible before its `commit`."""
        target = self._file_of(object_id)
        self._prepare()
        return Upload(
            self._incoming, target, object_id, content_type, prepare=self._make_durable_folder, name=self._name
        )

    def delete(self, object_id: str) -> None:
        """Remove the bytes, if there are any."""
        path = self._file_of(object_id)
        with os_errors_as_unavailable(self._name):
            try:
                path.unlink()
            except FileNotFoundError:
                self._require_mount()
            else:
                sync_directory(path.parent)

    def delete_many(self, object_ids: Iterable[str]) -> list[str]:
        """Remove the bytes of many objects, one after another. Returns the ids of those removed before any outage."""
        removed: list[str] = []
        for object_id in object_ids:
            try:
                self.delete(object_id)
            except Unavailable as error:
                if not removed:
                    raise
                _log.warning("%s", error)
                break
            removed.append(object_id)
        return removed

    def copy_from(self, other: ObjectStore, object_id: str) -> bool:
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

    def _file_of(self, object_id: str) -> Path:
        name = hashlib.sha256(object_id.encode("utf-8", "surrogatepass")).hexdigest()
        return self._objects / name[:2] / name[2:4] / name

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
