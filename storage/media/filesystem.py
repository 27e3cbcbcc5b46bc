"""Media in a folder: the object store of a server that runs without S3; its URLs are answered by the server itself.

<root>/objects/ab/cd/abcd...   one file an object (object_file.py), named by the SHA-256 of its id
<root>/incoming/...            uploads under way
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
from storage.media.object_file import ObjectFile, Upload, outage, remove_abandoned, sync_directory
from storage.media.object_store import Backend, Damaged, DownloadUrl, ObjectStore, StoredObject, UploadRequest
from storage.media.signing import UrlSigner, media_path

_log = logging.getLogger(__name__)

_NAME_LENGTH = 64


class FileStore:
    """An ObjectStore (storage.media.object_store) in the folder `root`, shared by any number of processes.

    secret: signs URLs; the same in every process, at least 16 bytes (ValueError otherwise).
    upload_timeout_s, download_timeout_s: how long presigned URLs live, in seconds, before grace (TMO-04).
    may_be_away: a `root` that is not there, such as a lost mount, is no error now but an outage when the store is used.

    Opening a store makes its folders and removes what uploads of dead processes left behind.
    Every method that touches files may raise storage.errors.Unavailable.
    """

    def __init__(
        self,
        root: Path,
        backend: Backend,
        secret: bytes,
        *,
        upload_timeout_s: int,
        download_timeout_s: int,
        may_be_away: bool = False,
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
            self._prepare(parents=not may_be_away)
            self.remove_abandoned()
        except Unavailable:
            if not may_be_away:
                raise

    def upload(self, object_id: str, content_type: str, *, presigned: bool, base_url: str) -> UploadRequest:
        """The PUT that uploads `object_id` (STO-17, STO-27, INT-04)."""
        path = media_path(self.backend.id, object_id)
        url = base_url + path
        if presigned:
            url = f"{url}?{self._signer.sign('PUT', path, self._upload_timeout_s, content_type)}"
        return UploadRequest(url, content_type, presigned)

    def downloads(self, object_id: str, *, presigned: bool | None, base_url: str) -> list[DownloadUrl]:
        """The URLs that read `object_id`, presigned first (SEG-GET-32, SEG-GET-43)."""
        path = media_path(self.backend.id, object_id)
        urls = []
        if presigned is not False:
            query = self._signer.sign("GET", path, self._download_timeout_s)
            urls.append(DownloadUrl(f"{base_url}{path}?{query}", presigned=True))
        if presigned is not True:
            urls.append(DownloadUrl(base_url + path, presigned=False))
        return urls

    def check_signature(self, method: str, object_id: str, query: str) -> str:
        """The content type that the query of a presigned URL was signed for ("" for downloads).

        method: "GET" or "PUT". Raises storage.errors.Forbidden unless the signature permits it now.
        """
        return self._signer.check(method, media_path(self.backend.id, object_id), query)

    def stat(self, object_id: str) -> StoredObject | None:
        """What is stored under `object_id`, or None where no upload has finished."""
        try:
            with self.open_unbuffered(object_id) as file:
                return file.stored
        except NotFound:
            return None

    def open(self, object_id: str) -> BinaryIO:
        """The bytes, from the first on; later deletion or replacement does not touch them. Raises NotFound."""
        return io.BufferedReader(self.open_unbuffered(object_id))

    def open_unbuffered(self, object_id: str) -> ObjectFile:
        """As `open`, with the description beside the bytes. Raises NotFound."""
        with outage(self._name):
            try:
                return ObjectFile(self._path(object_id))
            except FileNotFoundError:
                self._require_mount()
        raise NotFound(f"object {object_id!r} has no bytes in {self._name}")

    def write(self, object_id: str, content_type: str, chunks: Iterator[bytes]) -> StoredObject:
        """Store the bytes durably, replacing what was there, all or nothing. What `chunks` raises passes through."""
        upload = self.begin(object_id, content_type)
        try:
            for chunk in chunks:
                upload.add(chunk)
            return upload.commit()
        finally:
            upload.abort()

    def begin(self, object_id: str, content_type: str) -> Upload:
        """An upload to be fed piece by piece; nothing is seen of it before its `commit`."""
        target = self._path(object_id)
        self._prepare()
        return Upload(
            self._incoming, target, object_id, content_type, prepare=self._make_durable_folder, name=self._name
        )

    def delete(self, object_id: str) -> None:
        """Remove the bytes; no error where there are none."""
        path = self._path(object_id)
        with outage(self._name):
            try:
                path.unlink()
            except FileNotFoundError:
                self._require_mount()
            else:
                sync_directory(path.parent)

    def delete_many(self, object_ids: Iterable[str]) -> list[str]:
        """Remove the bytes of many objects, one after the other; the ids of those that are gone now."""
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
        """False: bytes come into a folder by being written."""
        return False

    def check(self) -> None:
        """Raises Unavailable unless files can be written here."""
        self._prepare()
        with outage(self._name), tempfile.TemporaryFile(dir=self._incoming) as probe:
            self._require_mount()
            probe.write(b"probe")
            probe.flush()

    def object_ids(self) -> Iterator[str]:
        """The ids of all objects with bytes here. Files that are not whole objects are logged and left out."""
        with outage(self._name):
            for folder, _, names in os.walk(self._objects, onerror=_raise):
                for name in names:
                    if len(name) != _NAME_LENGTH:
                        continue
                    try:
                        with ObjectFile(Path(folder, name)) as file:
                            object_id = file.object_id
                    except (FileNotFoundError, Damaged):
                        continue
                    yield object_id

    def remove_abandoned(self) -> int:
        """Remove what uploads of dead processes left behind, and return how many; cheap enough to repeat by clock."""
        with outage(self._name):
            removed = remove_abandoned(self._incoming)
        if removed:
            _log.info("removed %d abandoned uploads from %s", removed, self._incoming)
        return removed

    def _prepare(self, *, parents: bool = False) -> None:
        """Make the folders, once; later a folder that is not there is a loss, which must be noticed."""
        if not self._prepared:
            with outage(self._name):
                self._objects.mkdir(parents=parents, exist_ok=True)
                self._incoming.mkdir(exist_ok=True)
                sync_directory(self._objects.parent)
            self._prepared = True

    def _path(self, object_id: str) -> Path:
        name = hashlib.sha256(object_id.encode("utf-8", "surrogatepass")).hexdigest()
        return self._objects / name[:2] / name[2:4] / name

    def _require_mount(self) -> None:
        """A lost mount must not look like a store without objects."""
        self._objects.stat()

    def _make_durable_folder(self, leaf: Path) -> None:
        for folder in (leaf.parent, leaf):
            try:
                folder.mkdir()
            except FileExistsError:
                if folder in self._durable_folders:
                    continue
            # Also where it was there already: another process may have made it and not synced it yet.
            sync_directory(folder.parent)
            self._durable_folders.add(folder)


def _raise(error: OSError) -> None:
    raise error
