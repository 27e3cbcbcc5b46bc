"""Transfers to and from an S3 store: multipart uploads and copies, and reads that survive broken connections."""

import io
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError

from storage.errors import NotFound, Unavailable
from storage.media.object_store import StoredObject
from storage.media.s3_client import Connection, content_md5

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART_BYTES = 16 * 2**20
"""Size of the first parts of an upload. Smaller objects are sent in one request."""
RECEIVED_PART_BYTES = 8 * 2**20
"""The same for objects that clients are sending, many at a time: a part is held in memory until it is complete."""
COPY_BYTES = 256 * 2**20
"""The most that one request copies: far below the 5 GiB that S3 permits, so that no request takes long."""
_MAX_PARTS = 10_000
_SAME_SIZE_PARTS = 500
_RESUMES = 3


class S3Stream(io.RawIOBase):
    """The bytes of one object as they arrive, not seekable. After a broken connection the download is resumed.

    The constructor raises storage.errors.NotFound, and like every read Unavailable.
    """

    def __init__(self, connection: Connection, key: str) -> None:
        super().__init__()
        self._connection = connection
        self._key = key
        self._position = 0
        self._resumes_left = _RESUMES
        response = connection.call("get_object", Key=key)
        self._body = response["Body"]
        self._etag = response["ETag"]
        self._size: int = response["ContentLength"]

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        while wanted:
            try:
                data = self._body.read(wanted)
                if not data:
                    raise EOFError("the response ended too early")
            except (BotoCoreError, OSError, EOFError) as error:
                self._resume(error)
            else:
                view[: len(data)] = data
                self._position += len(data)
                return len(data)
        return 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        if not self.closed:
            super().close()
            if (body := getattr(self, "_body", None)) is not None:
                body.close()

    def _resume(self, error: Exception) -> None:
        self._body.close()
        outage = self._connection.outage("get_object", error)
        if not self._resumes_left:
            raise outage from error
        self._resumes_left -= 1
        try:
            rest = f"bytes={self._position}-"
            response = self._connection.call("get_object", Key=self._key, Range=rest, IfMatch=self._etag)
        except NotFound:
            raise outage from error
        if not response["ContentRange"].startswith(f"bytes {self._position}-"):
            raise outage from error
        self._body = response["Body"]


class _Multipart:
    """A multipart upload: `add` the parts in order, then `finish`. Leaving the block earlier aborts the upload."""

    def __init__(self, connection: Connection, key: str, content_type: str) -> None:
        self._connection = connection
        self._key = key
        self._parts: list[dict[str, Any]] = []
        self._id = connection.call("create_multipart_upload", Key=key, ContentType=content_type)["UploadId"]
        self._finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    @property
    def count(self) -> int:
        """The number of parts so far."""
        return len(self._parts)

    def abort(self) -> None:
        """Discard the parts, unless the upload is finished or aborted already."""
        if not self._finished:
            self._finished = True
            # Parts that are left behind are invisible to clients, and S3Store.remove_abandoned removes them.
            with suppress(NotFound, Unavailable):
                self._connection.call("abort_multipart_upload", Key=self._key, UploadId=self._id)

    def add(self, operation: str, **arguments: Any) -> None:
        """Add the next part. operation: "upload_part" or "upload_part_copy"."""
        number = len(self._parts) + 1
        response = self._connection.call(operation, Key=self._key, UploadId=self._id, PartNumber=number, **arguments)
        etag = response.get("CopyPartResult", response)["ETag"]
        self._parts.append({"PartNumber": number, "ETag": etag})

    def finish(self) -> str:
        """Make the object visible, and return its ETag."""
        response = self._connection.call(
            "complete_multipart_upload", Key=self._key, UploadId=self._id, MultipartUpload={"Parts": self._parts}
        )
        self._finished = True
        etag: str = response["ETag"]
        return etag.strip('"')


def upload(
    connection: Connection, key: str, content_type: str, chunks: Iterator[bytes], part_bytes: int = PART_BYTES
) -> StoredObject:
    """Store the bytes from `chunks`, in one request or in parts, all or nothing. `chunks` may raise anything."""
    incoming = S3Upload(connection, key, content_type, part_bytes)
    try:
        for chunk in chunks:
            incoming.add(chunk)
        return incoming.commit()
    finally:
        incoming.abort()


class S3Upload:
    """An IncomingObject (storage.media.object_store), sent in one request or in parts. It holds one part at a time.

    part_bytes: the size of the first parts. They grow, because their number is limited.
    """

    def __init__(self, connection: Connection, key: str, content_type: str, part_bytes: int = PART_BYTES) -> None:
        self.size = 0
        self._connection = connection
        self._key = key
        self._content_type = content_type
        self._part_bytes = part_bytes
        self._part = bytearray()
        self._multipart: _Multipart | None = None

    @property
    def buffer_bytes(self) -> int:
        """The size of the part that is being held."""
        sent = 0 if self._multipart is None else self._multipart.count
        return self._part_bytes * (1 + sent // _SAME_SIZE_PARTS)

    def add(self, data: bytes | memoryview) -> None:
        """Append bytes. A part is sent once there are bytes beyond it, as the only one needs one request."""
        rest = memoryview(data)
        while rest:
            room = self.buffer_bytes - len(self._part)
            if not room:
                self._send_part()
                continue
            self._part += rest[:room]
            rest = rest[room:]
        self.size += len(data)

    def commit(self, *, checksum: str | None = None) -> StoredObject:
        """Make the object visible. checksum: as for StoredObject; the store does not keep it."""
        if self._multipart is None:
            md5 = content_md5(self._part)
            response = self._connection.call(
                "put_object", Key=self._key, Body=self._part, ContentType=self._content_type, ContentMD5=md5
            )
            etag: str = response["ETag"].strip('"')
        else:
            self._send_part()
            etag = self._multipart.finish()
        return StoredObject(self.size, self._content_type, etag, checksum=checksum)

    def abort(self) -> None:
        """Discard the parts, unless the object is visible."""
        self._part = bytearray()
        if self._multipart is not None:
            self._multipart.abort()

    def _send_part(self) -> None:
        if self._multipart is None:
            self._multipart = _Multipart(self._connection, self._key, self._content_type)
        self._multipart.add("upload_part", Body=self._part, ContentMD5=content_md5(self._part))
        self._part = bytearray()


def copy(connection: Connection, key: str, source: dict[str, str], described: Any, at_once: int = COPY_BYTES) -> None:
    """Copy an object within the store to `key`. source: boto3's CopySource. described: the response to its HEAD.

    at_once: the most bytes that one request copies.
    """
    size: int = described["ContentLength"]
    same = {"CopySource": source, "CopySourceIfMatch": described["ETag"]}
    if size <= at_once:
        connection.call("copy_object", Key=key, **same)
        return
    step = max(at_once, -(-size // _MAX_PARTS))
    with _Multipart(connection, key, described["ContentType"]) as multipart:
        for start in range(0, size, step):
            piece = f"bytes={start}-{min(start + step, size) - 1}"
            multipart.add("upload_part_copy", CopySourceRange=piece, **same)
        multipart.finish()
