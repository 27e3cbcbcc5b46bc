"""PUT of an object: its bytes are written to disk as they arrive, and become visible once all are there."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol

import anyio
from starlette.types import Receive, Scope

from storage.catalog.objects.object_uploads import Publication, UploadTarget
from storage.errors import Invalid, NotFound
from storage.media.names import without_parameters
from storage.media.object_file import Upload
from storage.preconditions import NO_RESOURCE, ResourceState
from tams_server import error_codes
from tams_server.errors import TooLarge, UnsupportedMediaType
from tams_server.http.conditional_requests import read_preconditions
from tams_server.media.admission import Admission
from tams_server.media.bodies import RunInThread, receive_body
from tams_server.media.checksums import Checksums
from tams_server.media.messages import MediaRequest, MediaResponse
from tams_server.quotas.principal_quotas import UploadAccount

_MAX_LENGTH_DIGITS: Final = 18


class UploadRules(Protocol):
    """Decides which objects may be written, as storage.catalog's ObjectUploads."""

    def find(self, object_id: str, storage_id: str, allocated: int | None = None) -> UploadTarget: ...
    def publish(self, target: UploadTarget, upload: Publication, *, only_new: bool) -> None: ...


class Uploader:
    """Receives uploads and stores them."""

    def __init__(
        self,
        rules: UploadRules,
        in_thread: RunInThread,
        max_bytes: int | None,
        stall_timeout_s: float,
        min_rate: float = 0,
        admission: Admission | None = None,
    ) -> None:
        """max_bytes: the maximum size of an object, or None. stall_timeout_s: the longest wait for the next bytes.
        min_rate: bytes per second, on average over that time.
        """
        self._admission = admission
        self._min_rate = min_rate
        self._rules = rules
        self._in_thread = in_thread
        self._max_bytes = max_bytes
        self._stall_timeout_s = stall_timeout_s

    async def put(
        self, request: MediaRequest, allocated: int | None, scope: Scope, receive: Receive, *, presigned: bool = True
    ) -> MediaResponse:
        """Store the body of an authorized request (STO-27, OBJ-LIFE-08).

        allocated: the allocation for which the URL was made; None if that is unknown. presigned: whether it permits the
        request by itself.

        Nothing is stored if it raises: storage.errors.Invalid for wrong headers, length or checksums,
        storage.errors.NotFound, AlreadyExists, PreconditionFailed, QuotaExceeded and Unavailable, TooLarge,
        TooManyRequests, TooSlow, UnsupportedMediaType, ClientDisconnected.
        """
        admission = self._admission
        admit = partial(admission.begin_upload, scope, presigned=presigned) if admission is not None else _admit_any
        intake = _UploadIntake(self._rules, admit, request, allocated, self._max_bytes)
        try:
            await receive_body(scope, receive, intake, self._in_thread, self._stall_timeout_s, self._min_rate)
        finally:
            if not intake.closed:
                with anyio.CancelScope(shield=True):
                    await self._in_thread(intake.close)
        return MediaResponse(200, {"etag": f'"{intake.etag}"', "content-length": "0"})


Admit = Callable[[str | None, int], UploadAccount | None]
"""Admits an upload of a principal, if that is known, of as many bytes as are announced (Admission.begin_upload)."""


def _admit_any(_owner: str | None, _announced: int) -> None:
    return None


class _UploadIntake:
    """Writes one upload to the store. `close` must follow, unless `closed`. etag: of the bytes, after `end`."""

    def __init__(
        self, rules: UploadRules, admit: Admit, request: MediaRequest, allocated: int | None, max_bytes: int | None
    ) -> None:
        self.closed = False
        self.etag = ""
        self._account: UploadAccount | None = None
        self._rules = rules
        self._admit = admit
        self._request = request
        self._allocated = allocated
        self._max_bytes = max_bytes
        self._upload: Upload | None = None

    def begin(self) -> None:
        request, headers = self._request, self._request.headers
        self._target = self._rules.find(request.object_id, request.store.backend.id, self._allocated)
        _check_headers(headers, self._target.content_type)
        announced = int(headers.get("content-length", "0"))
        self._check_size(announced)
        self._checksums = Checksums(headers)
        if headers.keys() & {"if-match", "if-none-match", "if-unmodified-since"}:
            _check_conditions(request)
        self._account = self._admit(self._target.owner, announced)
        self._upload = request.store.begin(request.object_id, self._target.content_type)

    def add(self, data: bytes | memoryview) -> None:
        assert self._upload is not None
        self._check_size(self._upload.size + len(data))
        if self._account is not None:
            self._account.receive(self._upload.size + len(data))
        self._upload.add(data)
        self._checksums.update(data)

    def end(self) -> None:
        upload, headers = self._upload, self._request.headers
        assert upload is not None
        declared = int(headers.get("content-length", upload.size))
        if declared != upload.size:
            raise Invalid(
                f"Content-Length {declared} does not match the body, which has {upload.size} bytes; nothing was stored",
                code=error_codes.UPLOAD_CHECKSUM,
            )
        self.etag = upload.complete(self._checksums.verify(upload.etag)).etag
        # The other conditions are checked when the upload begins; this one again when it ends, so that only one of
        # several concurrent uploads creates the object.
        self._rules.publish(self._target, upload, only_new=headers.get("if-none-match", "").strip() == "*")
        self.close()

    def close(self) -> None:
        """Discard what has not been published."""
        self.closed = True
        if self._account is not None:
            self._account.end(self._upload.size if self._upload is not None else 0)
        if self._upload is not None:
            self._upload.abort()

    def _check_size(self, size: int) -> None:
        if self._max_bytes is not None and size > self._max_bytes:
            raise TooLarge(f"the upload must be at most {self._max_bytes} bytes")
        self._target.check_size(size)


def _check_conditions(request: MediaRequest) -> None:
    current = NO_RESOURCE
    try:
        with request.store.open_unbuffered(request.object_id) as file:
            current = ResourceState(file.stored.etag, modified=int(file.modified))
    except NotFound:
        pass
    read_preconditions(request.headers).check_change(current)


def _check_headers(headers: Mapping[str, str], content_type: str) -> None:
    given = headers.get("content-type")
    if given is None:
        raise Invalid(
            f"Content-Type is missing; it must be {content_type!r} for this object",
            code=error_codes.UPLOAD_HEADERS,
            field="Content-Type",
        )
    if without_parameters(given) != without_parameters(content_type):
        raise Invalid(
            f"Content-Type must be {content_type!r} for this object, not {given!r}",
            code=error_codes.UPLOAD_HEADERS,
            field="Content-Type",
        )
    check_upload_headers(headers)


def check_upload_headers(headers: Mapping[str, str]) -> None:
    """Check the headers of uploaded bytes, apart from their type. headers: by lower-case name.

    Raises storage.errors.Invalid, UnsupportedMediaType.
    """
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            "Content-Encoding is not supported: send the bytes as they are to be stored",
            code=error_codes.BODY_CODING,
            headers={"Accept-Encoding": "identity"},
            field="Content-Encoding",
        )
    if "content-range" in headers:
        raise Invalid(
            "Content-Range is not supported in an upload: send the whole object",
            code=error_codes.UPLOAD_HEADERS,
            field="Content-Range",
        )
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length.lstrip("0")) <= _MAX_LENGTH_DIGITS):
        raise Invalid(
            f"Content-Length must be a number of bytes, not {length!r}",
            code=error_codes.UPLOAD_HEADERS,
            field="Content-Length",
        )
