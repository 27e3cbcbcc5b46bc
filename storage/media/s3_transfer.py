"""Bytes on their way into and out of an S3 store: uploads and copies in parts, and reading that survives a broken
connection."""

import io
import itertools
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
"""Of the first parts of an upload; what is smaller is sent in one request."""
COPY_BYTES = 256 * 2**20
"""What one request may copy: far below the 5 GiB of S3, so that none takes long."""
_MOST_PARTS = 10_000
_SAME_SIZE_PARTS = 500
_RESUMPTIONS = 3


class S3Stream(io.RawIOBase):
    """The bytes of one object as they come in, not seekable. A connection that breaks is made anew where it broke.

    Raises storage.errors.NotFound when made, and Unavailable then and when read.
    """

    def __init__(self, connection: Connection, key: str) -> None:
        super().__init__()
        self._connection = connection
        self._key = key
        self._position = 0
        self._left = _RESUMPTIONS
        answer = connection.call("get_object", Key=key)
        self._body = answer["Body"]
        self._etag = answer["ETag"]
        self._size: int = answer["ContentLength"]

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        while wanted:
            try:
                data = self._body.read(wanted)
                if not data:
                    raise EOFError("the answer ended too early")
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
        if not self._left:
            raise outage from error
        self._left -= 1
        try:
            rest = f"bytes={self._position}-"
            answer = self._connection.call("get_object", Key=self._key, Range=rest, IfMatch=self._etag)
        except NotFound:
            raise outage from error
        if not answer["ContentRange"].startswith(f"bytes {self._position}-"):
            raise outage from error
        self._body = answer["Body"]


class _Multipart:
    """An upload in parts: `add` them in order, then `finish`; leaving the block without that gives it up."""

    def __init__(self, connection: Connection, key: str, content_type: str) -> None:
        self._connection = connection
        self._key = key
        self._parts: list[dict[str, Any]] = []
        self._id = connection.call("create_multipart_upload", Key=key, ContentType=content_type)["UploadId"]
        self._finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._finished:
            # A part that is left behind is seen by nobody; S3Store.remove_abandoned finds it.
            with suppress(NotFound, Unavailable):
                self._connection.call("abort_multipart_upload", Key=self._key, UploadId=self._id)

    def add(self, operation: str, **arguments: Any) -> None:
        """The next part. operation: "upload_part" or "upload_part_copy"."""
        number = len(self._parts) + 1
        answer = self._connection.call(operation, Key=self._key, UploadId=self._id, PartNumber=number, **arguments)
        etag = answer.get("CopyPartResult", answer)["ETag"]
        self._parts.append({"PartNumber": number, "ETag": etag})

    def finish(self) -> str:
        """Make the object visible; its ETag."""
        answer = self._connection.call(
            "complete_multipart_upload", Key=self._key, UploadId=self._id, MultipartUpload={"Parts": self._parts}
        )
        self._finished = True
        etag: str = answer["ETag"]
        return etag.strip('"')


def upload(
    connection: Connection, key: str, content_type: str, chunks: Iterator[bytes], part_bytes: int = PART_BYTES
) -> StoredObject:
    """Store what `chunks` gives, in one request or in parts, all or nothing. What `chunks` raises passes through."""
    parts = _parts(chunks, part_bytes)
    first = next(parts, b"")
    second = next(parts, None)
    if second is None:
        answer = connection.call(
            "put_object", Key=key, Body=first, ContentType=content_type, ContentMD5=content_md5(first)
        )
        return StoredObject(len(first), content_type, answer["ETag"].strip('"'))
    size = 0
    with _Multipart(connection, key, content_type) as multipart:
        for part in itertools.chain((first, second), parts):
            multipart.add("upload_part", Body=part, ContentMD5=content_md5(part))
            size += len(part)
        return StoredObject(size, content_type, multipart.finish())


def copy(connection: Connection, key: str, source: dict[str, str], described: Any, at_once: int = COPY_BYTES) -> None:
    """Copy an object within the store to `key`. source: boto3's CopySource; described: the answer to its HEAD."""
    size: int = described["ContentLength"]
    same = {"CopySource": source, "CopySourceIfMatch": described["ETag"]}
    if size <= at_once:
        connection.call("copy_object", Key=key, **same)
        return
    step = max(at_once, -(-size // _MOST_PARTS))
    with _Multipart(connection, key, described["ContentType"]) as multipart:
        for start in range(0, size, step):
            piece = f"bytes={start}-{min(start + step, size) - 1}"
            multipart.add("upload_part_copy", CopySourceRange=piece, **same)
        multipart.finish()


def _parts(chunks: Iterator[bytes], part_bytes: int) -> Iterator[bytes]:
    """The same bytes in parts that become larger in time, since their number is limited; the last is what is left."""
    buffer = bytearray()
    for number in itertools.count():
        wanted = part_bytes * (1 + number // _SAME_SIZE_PARTS)
        while len(buffer) < wanted:
            chunk = next(chunks, None)
            if chunk is None:
                if buffer:
                    yield bytes(buffer)
                return
            buffer += chunk
        yield bytes(buffer[:wanted])
        del buffer[:wanted]
