"""Media in a bucket of an S3 store: the object store. Clients talk to the bucket by signed URLs."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from io import BufferedReader
from typing import Any, BinaryIO

from storage.errors import NotFound, Unavailable
from storage.media.object_store import Backend, DownloadUrl, ObjectStore, StoredObject, UploadRequest
from storage.media.s3_client import Bucket, Connection, Patience, Refused
from storage.media.s3_credentials import CredentialSource
from storage.media.s3_keys import id_of, key_of
from storage.media.s3_transfer import S3Stream, copy, upload
from storage.media.sigv4 import LONGEST_S, Presigner

_log = logging.getLogger(__name__)

GRACE_S = 60
"""Added to every lifetime, so that clocks and slow clients do not cut it short (TMO-04)."""
SHARED_S = 60
"""URLs are signed as of a multiple of this, so that the URLs of one page, asked for again, are the same."""
LONGEST_TIMEOUT_S = LONGEST_S - GRACE_S - SHARED_S
"""The longest time that can be asked of URLs."""

_BUFFER_BYTES = 256 * 1024
_AT_ONCE = 1000
_ABANDONED = timedelta(days=1)


class S3Store:
    """An ObjectStore (storage.media.object_store) in one bucket.

    credentials: what this server signs with, its own requests and those of clients.
    upload_timeout_s, download_timeout_s: how long presigned URLs live, in seconds, before grace (TMO-04); at most
    LONGEST_TIMEOUT_S (ValueError otherwise).
    unsigned: whether URLs without a signature are given too, for clients with credentials of their own.

    Making a store asks nothing of the bucket. Every method but `upload` and `downloads` may raise
    storage.errors.Unavailable for an outage, and these two where there are no credentials.
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
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if max(upload_timeout_s, download_timeout_s) > LONGEST_TIMEOUT_S:
            raise ValueError(f"presigned URLs live at most {LONGEST_TIMEOUT_S} s")
        self.backend = backend
        self.unsigned = unsigned
        self._bucket = bucket
        self._name = f"storage backend {backend.id}"
        self._connection = Connection(bucket, credentials, self._name, patience or Patience())
        self._presigner = Presigner(
            bucket.public_endpoint or bucket.endpoint, bucket.name, bucket.region, virtual_host=bucket.virtual_host
        )
        self._upload_timeout_s = upload_timeout_s
        self._download_timeout_s = download_timeout_s
        self._clock = clock

    def upload(self, object_id: str, content_type: str, *, presigned: bool, base_url: str) -> UploadRequest:
        """The PUT that uploads `object_id` (STO-17, STO-27, INT-04); an unsigned one only if `self.unsigned`."""
        key = self._key(object_id)
        if presigned or not self.unsigned:
            url = self._sign("PUT", key, self._upload_timeout_s, content_type)
            return UploadRequest(url, content_type, presigned=True)
        return UploadRequest(self._presigner.plain(key), content_type, presigned=False)

    def downloads(self, object_id: str, *, presigned: bool | None, base_url: str) -> list[DownloadUrl]:
        """The URLs that read `object_id`, presigned first (SEG-GET-32, SEG-GET-43); unsigned only if `unsigned`."""
        key = self._key(object_id)
        urls = []
        if presigned is not False:
            urls.append(DownloadUrl(self._sign("GET", key, self._download_timeout_s), presigned=True))
        if presigned is not True and self.unsigned:
            urls.append(DownloadUrl(self._presigner.plain(key), presigned=False))
        return urls

    def stat(self, object_id: str) -> StoredObject | None:
        """What is stored under `object_id`, or None where no upload has finished."""
        try:
            described = self._connection.call("head_object", Key=self._key(object_id))
        except NotFound:
            return None
        return StoredObject(
            described["ContentLength"],
            described.get("ContentType", ""),
            described["ETag"].strip('"'),
            int(described["LastModified"].timestamp() * 1_000_000),
        )

    def open(self, object_id: str) -> BinaryIO:
        """The bytes, from the first on, not seekable. Raises NotFound."""
        try:
            return BufferedReader(S3Stream(self._connection, self._key(object_id)), _BUFFER_BYTES)
        except NotFound:
            raise self._missing(object_id) from None

    def write(self, object_id: str, content_type: str, chunks: Iterator[bytes]) -> StoredObject:
        """Store the bytes durably, replacing what was there, all or nothing. What `chunks` raises passes through."""
        return upload(self._connection, self._key(object_id), content_type, chunks)

    def copy_from(self, other: ObjectStore, object_id: str) -> bool:
        """Let the store copy the bytes from `other`, where both are of one endpoint. Raises NotFound."""
        if not isinstance(other, S3Store) or not self._reaches(other._bucket):
            return False
        source = {"Bucket": other._bucket.name, "Key": other._key(object_id)}
        try:
            described = other._connection.call("head_object", Key=source["Key"])
            copy(self._connection, self._key(object_id), source, described)
        except NotFound:
            raise other._missing(object_id) from None
        except Refused:
            # The credentials of the one may have no right to read from the other.
            return False
        return True

    def delete(self, object_id: str) -> None:
        """Remove the bytes; no error where there are none."""
        try:
            self._connection.call("delete_object", Key=self._key(object_id))
        except NotFound:
            return

    def delete_many(self, object_ids: Iterable[str]) -> list[str]:
        """Remove the bytes of many objects, a thousand with one request; the ids of those that are gone now."""
        removed: list[str] = []
        waiting = list(object_ids)
        for start in range(0, len(waiting), _AT_ONCE):
            ids = waiting[start : start + _AT_ONCE]
            try:
                failed = self._delete_batch([self._key(object_id) for object_id in ids])
            except Unavailable:
                if not removed:
                    raise
                break
            removed += [object_id for object_id in ids if self._key(object_id) not in failed]
        return removed

    def object_ids(self) -> Iterator[str]:
        """The ids of all objects with bytes here, but for those whose keys do not tell (s3_keys), which are counted in
        the log."""
        unknown = 0
        for entry in self._listed("list_objects_v2", "Contents"):
            object_id = id_of(self._bucket.prefix, entry["Key"])
            if object_id is None:
                unknown += 1
            else:
                yield object_id
        if unknown:
            _log.info("%s has %d keys that do not tell an object id", self._name, unknown)

    def remove_abandoned(self) -> int:
        """Give up what uploads in parts of dead processes left behind a day ago or earlier; how many they were."""
        removed = 0
        oldest = datetime.fromtimestamp(self._clock(), UTC) - _ABANDONED
        for entry in self._listed("list_multipart_uploads", "Uploads"):
            if entry["Initiated"] < oldest:
                self._connection.call("abort_multipart_upload", Key=entry["Key"], UploadId=entry["UploadId"])
                removed += 1
        return removed

    def check(self) -> None:
        """Raises Unavailable, after few seconds, unless the bucket answers."""
        try:
            self._connection.probe()
        except NotFound:
            raise Unavailable(f"{self._name} is unavailable") from None

    def _listed(self, operation: str, member: str) -> Iterator[Mapping[str, Any]]:
        for page in self._connection.pages(operation, Prefix=self._bucket.prefix):
            # Every page says whether it is the last; without that it is no page, and not an empty one.
            page["IsTruncated"]
            yield from page.get(member, ())

    def _delete_batch(self, keys: list[str]) -> set[str]:
        """The keys that could not be removed."""
        answer = self._connection.call("delete_objects", Delete={"Objects": [{"Key": key} for key in keys]})
        errors = {error["Key"]: error.get("Code", "") for error in answer.get("Errors", ())}
        gone = {entry["Key"] for entry in answer.get("Deleted", ())}
        gone |= {key for key, code in errors.items() if code == "NoSuchKey"}
        failed = set(keys) - gone
        if failed:
            some = min(failed)
            reason = errors.get(some, "no answer")
            _log.warning("%s: %d of %d keys stay, such as %s: %s", self._name, len(failed), len(keys), some, reason)
        return failed

    def _sign(self, method: str, key: str, timeout_s: int, content_type: str = "") -> str:
        now = int(self._clock()) // SHARED_S * SHARED_S
        lifetime = timeout_s + GRACE_S + SHARED_S
        credentials = self._connection.credentials()
        return self._presigner.sign(method, key, lifetime, credentials, content_type=content_type, now=now)

    def _reaches(self, bucket: Bucket) -> bool:
        return (bucket.endpoint, bucket.region) == (self._bucket.endpoint, self._bucket.region)

    def _key(self, object_id: str) -> str:
        return key_of(self._bucket.prefix, object_id)

    def _missing(self, object_id: str) -> NotFound:
        return NotFound(f"object {object_id!r} has no bytes in {self._name}")
