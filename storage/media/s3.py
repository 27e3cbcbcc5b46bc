"""The object store over a bucket of an S3 store. Clients use the bucket directly, through presigned URLs."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BufferedReader
from typing import Any, BinaryIO

from storage import error_codes
from storage.errors import NotFound, Unavailable
from storage.media.marker import KEY, BucketMarker, Owner
from storage.media.names import split_name
from storage.media.object_store import AllocationTerm, Backend, DownloadUrls, ObjectStore, StoredObject, UploadRequest
from storage.media.s3_client import Bucket, Connection, RequestLimits, RequestRejected
from storage.media.s3_credentials import CredentialSource
from storage.media.s3_keys import id_of, key_of
from storage.media.s3_transfer import RECEIVED_PART_BYTES, S3Stream, S3Upload, copy, upload
from storage.media.s3_urls import S3Urls
from storage.media.sigv4 import Presigner
from storage.media.write_once import WriteOnce

_log = logging.getLogger(__name__)

_CHECKSUMS = {
    "ChecksumSHA256": "sha-256",
    "ChecksumSHA1": "sha",
    "ChecksumCRC64NVME": "crc64nvme",
    "ChecksumCRC32C": "crc32c",
    "ChecksumCRC32": "crc32",
}
"""Members of the response to HeadObject, with the names that RFC 9530 or S3 gives the algorithms; the best first."""

UPLOAD_TAIL_S = 900
"""How long an upload may take that begins just before its URL expires, in seconds. A longer one may leave bytes behind,
which `tams-server check` finds."""

_BUFFER_BYTES = 256 * 1024
_DELETE_BATCH = 1000
_ABANDONED = timedelta(days=1)


class S3Store(ObjectStore):
    """An ObjectStore in one bucket. The constructor makes no request.

    credentials: sign the requests of this server and the URLs for clients. The methods that return URLs raise
    storage.errors.Unavailable only if there are none.
    upload_timeout_s, download_timeout_s: lifetime of presigned URLs in seconds, without the grace period (TMO-04); at
    most LONGEST_TIMEOUT_S (ValueError otherwise).
    unsigned: whether to offer URLs without a signature too, for clients with credentials of their own.
    write_once: whether presigned uploads must not replace bytes, if the store can ensure that.
    owner: the catalogue of the objects (storage.media.marker). None: there is no marker.
    """

    def __init__(
        self,
        backend: Backend,
        bucket: Bucket,
        credentials: CredentialSource,
        *,
        upload_timeout_s: int,
        download_timeout_s: int,
        unsigned: bool = False,
        write_once: bool = False,
        owner: Owner | None = None,
        limits: RequestLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.backend = backend
        self.upload_tail_s = UPLOAD_TAIL_S
        self.unsigned = unsigned
        self._bucket = bucket
        self._name = f"storage backend {backend.id}"
        self._connection = Connection(bucket, credentials, self._name, limits or RequestLimits())
        self._urls = S3Urls(
            Presigner(
                bucket.public_endpoint or bucket.endpoint, bucket.name, bucket.region, virtual_host=bucket.virtual_host
            ),
            self._connection.credentials,
            self._name,
            upload_timeout_s=upload_timeout_s,
            download_timeout_s=download_timeout_s,
            clock=clock,
        )
        self._clock = clock
        self._marker = (
            None
            if owner is None
            else BucketMarker(self._connection, bucket.name, bucket.prefix, backend.id, self._name, owner)
        )
        self._write_once = WriteOnce(self._connection, bucket.prefix, write_once, self._name)

    def upload_requests(
        self,
        names: Sequence[str],
        content_type: str,
        *,
        presigned: bool,
        base_url: str,
        term: AllocationTerm | None = None,
    ) -> list[UploadRequest]:
        """The PUTs that upload the objects (STO-17, STO-27, INT-04). Unsigned ones only if `self.unsigned`."""
        if self._marker is not None:
            self._marker.refuse_unknown_place()
        keys = [self._key(name) for name in names]
        if not presigned and self.unsigned:
            return [UploadRequest(url, content_type, presigned=False) for url in self._urls.plain(keys)]
        only_new = self._write_once.is_ensured()
        headers = {"If-None-Match": "*"} if only_new else {}
        urls = self._urls.uploads(keys, content_type, term, only_new=only_new)
        return [UploadRequest(url, content_type, presigned=True, headers=headers) for url in urls]

    def download_urls(
        self, names: Sequence[str], *, presigned: bool | None, base_url: str, stable: bool = False
    ) -> DownloadUrls:
        """URLs from which to read the objects (SEG-GET-32, SEG-GET-43). Unsigned ones only if `self.unsigned`."""
        signed = [] if presigned is False else self._urls.downloads(names, self._key, stable=stable)
        if presigned is True or not self.unsigned:
            return DownloadUrls(signed, [])
        return DownloadUrls(signed, self._urls.plain([self._key(name) for name in names]))

    def stat(self, name: str) -> StoredObject | None:
        """What is stored under the name; None if no upload has finished."""
        try:
            described = self._connection.call("head_object", Key=self._key(name), ChecksumMode="ENABLED")
        except NotFound:
            self.check_place()
            return None
        return StoredObject(
            described["ContentLength"],
            described.get("ContentType", ""),
            described["ETag"].strip('"'),
            int(described["LastModified"].timestamp() * 1_000_000),
            _checksum(described),
        )

    def open(self, name: str) -> BinaryIO:
        """The bytes, from the first on, not seekable. Raises NotFound."""
        try:
            return BufferedReader(S3Stream(self._connection, self._key(name)), _BUFFER_BYTES)
        except NotFound:
            self.check_place()
            raise self._missing(name) from None

    def write(self, name: str, content_type: str, chunks: Iterator[bytes]) -> StoredObject:
        """Store the bytes durably, all or nothing, replacing any earlier ones. `chunks` may raise anything."""
        self._check_place_once()
        return upload(self._connection, self._key(name), content_type, chunks)

    def begin(self, name: str, content_type: str) -> S3Upload:
        """Start to store bytes that arrive in pieces, with one part of them in memory."""
        self._check_place_once()
        return S3Upload(self._connection, self._key(name), content_type, RECEIVED_PART_BYTES)

    def copy_from(self, other: ObjectStore, name: str, source_name: str | None = None) -> bool:
        """Have the store copy the bytes from `other`, if both have the same endpoint. Raises NotFound."""
        if not isinstance(other, S3Store) or not self._can_copy_from(other._bucket):
            return False
        self._check_place_once()
        source_name = source_name or name
        source = {"Bucket": other._bucket.name, "Key": other._key(source_name)}
        try:
            described = other._connection.call("head_object", Key=source["Key"])
            copy(self._connection, self._key(name), source, described)
        except NotFound:
            raise other._missing(source_name) from None
        except RequestRejected:
            # The credentials of this store may not permit reading from the other.
            return False
        return True

    def delete(self, name: str) -> None:
        """Remove the bytes, if there are any."""
        try:
            self._connection.call("delete_object", Key=self._key(name))
        except NotFound:
            return

    def delete_many(self, names: Iterable[str]) -> list[str]:
        """Remove the bytes of many objects, a thousand a request. Returns the names of those that have none now."""
        removed: list[str] = []
        wanted = list(names)
        for start in range(0, len(wanted), _DELETE_BATCH):
            batch = wanted[start : start + _DELETE_BATCH]
            try:
                failed = self._delete_batch([self._key(name) for name in batch])
            except Unavailable:
                if not removed:
                    raise
                break
            removed += [name for name in batch if self._key(name) not in failed]
        return removed

    def object_ids(self) -> Iterator[str]:
        """The names of all objects with bytes here. Keys from which none can be decoded (s3_keys) are left out, and
        their number is logged."""
        self.check_place()
        unknown = 0
        for entry in self._entries("list_objects_v2", "Contents"):
            name = id_of(self._bucket.prefix, entry["Key"])
            if name is not None:
                yield name
            elif entry["Key"] != self._bucket.prefix + KEY:
                unknown += 1
        if unknown:
            _log.info("%s has %d keys that cannot be decoded to an object id", self._name, unknown)

    def remove_abandoned(self) -> int:
        """Abort multipart uploads that dead processes left behind, at least a day old, and return their number."""
        removed = 0
        oldest = datetime.fromtimestamp(self._clock(), UTC) - _ABANDONED
        for entry in self._entries("list_multipart_uploads", "Uploads"):
            if entry["Initiated"] < oldest:
                self._connection.call("abort_multipart_upload", Key=entry["Key"], UploadId=entry["UploadId"])
                removed += 1
        return removed

    def check(self) -> None:
        """Raise Unavailable, within a few seconds, unless the bucket responds."""
        try:
            self._connection.probe()
        except NotFound:
            raise Unavailable(f"{self._name} is unavailable") from None
        self.check_place()

    def check_place(self) -> None:
        """Raise Unavailable unless the bucket is that of the backend."""
        if self._marker is not None:
            self._marker.check()

    def _check_place_once(self) -> None:
        """The same, unless the last check of this process has succeeded and is not old."""
        if self._marker is not None:
            self._marker.require()

    def _entries(self, operation: str, member: str) -> Iterator[Mapping[str, Any]]:
        for page in self._connection.pages(operation, Prefix=self._bucket.prefix):
            # Every page says whether it is the last. A response that does not is invalid, not an empty page.
            page["IsTruncated"]
            yield from page.get(member, ())

    def _delete_batch(self, keys: list[str]) -> set[str]:
        """Delete these keys, and return those that could not be deleted."""
        response = self._connection.call("delete_objects", Delete={"Objects": [{"Key": key} for key in keys]})
        errors = {error["Key"]: error.get("Code", "") for error in response.get("Errors", ())}
        gone = {entry["Key"] for entry in response.get("Deleted", ())}
        gone |= {key for key, code in errors.items() if code == "NoSuchKey"}
        failed = set(keys) - gone
        if failed:
            example = min(failed)
            reason = errors.get(example, "not mentioned in the response")
            _log.warning(
                "%s: %d of %d keys were not deleted, such as %s: %s",
                self._name,
                len(failed),
                len(keys),
                example,
                reason,
            )
        return failed

    def _can_copy_from(self, bucket: Bucket) -> bool:
        return (bucket.endpoint, bucket.region) == (self._bucket.endpoint, self._bucket.region)

    def _key(self, name: str) -> str:
        return key_of(self._bucket.prefix, name)

    def _missing(self, name: str) -> NotFound:
        return NotFound(
            f"object {split_name(name)[0]!r} has no bytes in {self._name}", code=error_codes.MEDIA_NOT_FOUND
        )


def _checksum(described: Mapping[str, Any]) -> str | None:
    """The checksum of a whole object. That of one uploaded in parts may be one of their checksums, which is no use."""
    for member, algorithm in _CHECKSUMS.items():
        value = described.get(member, "")
        if value and "-" not in value:
            return f"{algorithm}=:{value}:"
    return None
