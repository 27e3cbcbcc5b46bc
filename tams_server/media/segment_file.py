"""F7: the bytes of a segment that are uploaded with it, on their way to a storage backend."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from starlette.types import Scope

from storage.catalog import Catalog
from storage.catalog.segments.segment_uploads import ReceivedSegment, SegmentUpload, SegmentUploads
from storage.errors import Invalid, TamsError
from storage.media.object_store import IncomingObject, StoredObject
from tams_server import error_codes
from tams_server.errors import TooLarge
from tams_server.http.body_memory import BodyShare
from tams_server.http.exchange import Exchange, exchange_of
from tams_server.media.admission import Admission
from tams_server.media.checksums import Checksums
from tams_server.media.upload import check_upload_headers
from tams_server.quotas.principal_quotas import UploadAccount

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UploadMeans:
    """What uploads need.

    catalog: returns the catalogue. max_bytes: the maximum size of an object, or None. stall_timeout_s, min_rate: as for
    tams_server.media.bodies. admission: of uploads; None for all of them. allocating: returns the context in which to
    allocate a number of objects for a principal, so that they count towards its quota.
    """

    catalog: Callable[[], Catalog]
    max_bytes: int | None
    stall_timeout_s: float
    min_rate: float
    admission: Admission | None
    allocating: Callable[[Exchange, str, int], AbstractContextManager[object]]


class SegmentFile:
    """The bytes of one request: `begin`, `add` them, then `end`; or `discard` at any time. All may block."""

    def __init__(self, means: UploadMeans, scope: Scope, share: BodyShare) -> None:
        """share: holds the memory that the storage backend needs for the bytes."""
        exchange = exchange_of(scope)
        assert exchange.caller is not None
        self._means = means
        self._scope = scope
        self._exchange = exchange
        self._caller = exchange.caller
        self._share = share
        self._account: UploadAccount | None = None
        self._upload: SegmentUpload | None = None
        self._incoming: IncomingObject | None = None
        self._checksums = Checksums({})
        self._content_type = ""
        self._held = 0
        self._most_held: int | None = None
        self._declared: int | None = None
        self._renew_at = 0.0
        self._may_be_visible = False
        self._stored: StoredObject | None = None

    def check_flow(self) -> None:
        """Check that the flow can take an upload. Raises storage.errors.NotFound, Forbidden and Invalid."""
        self._uploads.check_flow(self._caller, self._exchange.path_parameters["flowId"])

    def read_headers(self, headers: Mapping[str, str]) -> None:
        """Read the headers of the part with the bytes. Raises UnsupportedMediaType, storage.errors.Invalid."""
        if "content-type" not in headers:
            raise Invalid(
                "Content-Type is missing; it must be the container of the flow",
                code=error_codes.UPLOAD_HEADERS,
                field="Content-Type",
            )
        check_upload_headers(headers)
        self._declared = int(headers["content-length"]) if "content-length" in headers else None
        self._checksums = Checksums(headers, with_md5=True)
        self._content_type = headers["content-type"]

    def begin(self, document: Mapping[str, Any]) -> None:
        """Check the segment, and allocate its object, after `read_headers`. document: of the segment.

        Raises TooManyRequests, TooManyBodies, and errors of storage: Invalid for "Content-Type" if the flow cannot have
        bytes of this type.
        """
        exchange, caller = self._exchange, self._caller
        with self._means.allocating(exchange, caller.name, 1):
            self._upload = self._uploads.begin(
                caller, exchange.path_parameters["flowId"], document, self._content_type, exchange.preconditions
            )
        length = exchange.headers.get(b"content-length")
        if self._means.admission is not None:
            self._account = self._means.admission.begin_upload(
                self._scope, caller.name, int(length or b"0"), presigned=False
            )
        self._most_held = None if length is None else int(length)
        self._incoming = self._uploads.open(self._upload)
        self._hold_buffer(self._incoming)
        self._renew_at = time.monotonic() + self._uploads.renewal_s

    def add(self, data: memoryview) -> None:
        """Store the next bytes. Raises TooLarge, and errors of storage."""
        incoming, upload = self._incoming, self._upload
        assert incoming is not None
        assert upload is not None
        size, most = incoming.size + len(data), self._means.max_bytes
        if most is not None and size > most:
            raise TooLarge(f"the upload must be at most {most} bytes", headers={"Connection": "close"})
        upload.target.check_size(size)
        if self._account is not None:
            self._account.receive(size)
        incoming.add(data)
        self._hold_buffer(incoming)
        self._checksums.update(data)
        if time.monotonic() >= self._renew_at:
            self._uploads.renew(upload)
            self._renew_at = time.monotonic() + self._uploads.renewal_s

    def _hold_buffer(self, incoming: IncomingObject) -> None:
        """Hold the memory of the buffer, which grows with a large object. Raises TooManyBodies."""
        held = incoming.buffer_bytes if self._most_held is None else min(incoming.buffer_bytes, self._most_held)
        if held > self._held:
            self._share.add(held - self._held)
            self._held = held

    def end(self) -> None:
        """Verify the bytes, and make them durable. Raises errors of storage."""
        incoming = self._incoming
        assert incoming is not None
        if self._declared is not None and self._declared != incoming.size:
            raise Invalid(
                f"Content-Length is {self._declared}, but the part has {incoming.size} bytes; nothing was stored",
                code=error_codes.UPLOAD_CHECKSUM,
                field="Content-Length",
            )
        checksum = self._checksums.verify()
        assert self._upload is not None
        self._uploads.require_allocated(self._upload)
        self._may_be_visible = True
        self._stored = incoming.commit(checksum=checksum)
        self._end_account()

    def received(self) -> ReceivedSegment:
        """Return the segment to register, after `end`."""
        assert self._upload is not None
        assert self._stored is not None
        return ReceivedSegment(self._upload, self._stored)

    def discard(self) -> None:
        """Leave nothing of an upload whose segment is not registered."""
        self._end_account()
        if self._incoming is not None:
            self._incoming.abort()
        if self._upload is not None:
            try:
                self._uploads.discard(self._upload, stored=self._may_be_visible)
            except TamsError as error:
                _log.warning("object %s is left until it expires: %s", self._upload.target.object_id, error.message)

    def _end_account(self) -> None:
        account, self._account = self._account, None
        if account is not None:
            account.end(self._incoming.size if self._incoming is not None else 0)

    @property
    def _uploads(self) -> SegmentUploads:
        return self._means.catalog().segment_uploads
