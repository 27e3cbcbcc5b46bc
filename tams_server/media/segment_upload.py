"""F7: `POST /flows/{flowId}/segments` with the segment and its bytes in one form, streamed to the storage backend.

The form has the parts `segment`, a JSON document, and `file`, in this order. The segment is checked by all rules before
the first byte of the file is stored. Its registration comes after the last one, in the handler.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import anyio
from starlette.types import Receive, Scope

from handlers.shared.parameter_names import parameter_names
from storage.catalog.segments.segment_uploads import ReceivedSegment
from storage.errors import Invalid
from storage.nul import escape_document, may_need_escape
from tams_server import error_codes
from tams_server.errors import TooLarge, UnsupportedMediaType
from tams_server.http.body_memory import BodyShare
from tams_server.http.content_codings import content_coding
from tams_server.http.exchange import exchange_of
from tams_server.http.headers import all_headers
from tams_server.http.json_documents import DOCUMENT
from tams_server.http.request_bodies import check_media_type, parse_body, validate_body
from tams_server.media.bodies import RunInThread, receive_body
from tams_server.media.checksums import Checksums
from tams_server.media.multipart_form import FormReader, in_part
from tams_server.media.segment_file import SegmentFile, UploadMeans

SEGMENT: Final = "segment"
FILE: Final = "file"
_FORM_BYTES: Final = 64 * 1024
"""Of a form, besides the content of its parts."""


class SegmentReceiver:
    """Receives segments with their bytes. in_thread: runs what may block."""

    def __init__(self, means: UploadMeans, in_thread: RunInThread) -> None:
        self._means = means
        self._in_thread = in_thread

    @asynccontextmanager
    async def receive(
        self, scope: Scope, receive: Receive, boundary: bytes, share: BodyShare
    ) -> AsyncIterator[ReceivedSegment]:
        """Store the bytes, and yield the segment, to be registered in the block. If it is not, nothing of it is left.

        boundary: of the form. share: holds the memory that this takes.

        Raises: storage.errors.Invalid and other errors of storage; TooLarge, TooManyBodies, TooManyRequests, TooSlow,
        UnsupportedMediaType, ClientDisconnected.
        """
        if content_coding(scope) is not None:
            raise UnsupportedMediaType(
                "Content-Encoding is not supported for a form: send the bytes as they are to be stored",
                code=error_codes.BODY_CODING,
                headers={"Accept-Encoding": "identity"},
                field="Content-Encoding",
            )
        file = SegmentFile(self._means, scope, share)
        intake = _FormIntake(file, scope, boundary, share, self._means.max_bytes)
        window_s, min_rate = self._means.stall_timeout_s, self._means.min_rate
        try:
            await receive_body(scope, receive, intake, self._in_thread, window_s, min_rate)
            yield file.received()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._in_thread(file.discard)
            raise


class _FormIntake:
    """Takes in the body of one request, as an Intake and as the FormParts of its form."""

    names: Sequence[str] = (SEGMENT, FILE)

    def __init__(
        self, file: SegmentFile, scope: Scope, boundary: bytes, share: BodyShare, max_bytes: int | None
    ) -> None:
        self._file = file
        self._exchange = exchange_of(scope)
        self._headers = all_headers(scope)
        self._form = FormReader(boundary, self)
        self._checksums = Checksums(self._headers, with_md5=True)
        self._share = share
        self._max_bytes = max_bytes
        self._part = ""
        self._raw = bytearray()
        self._document: dict[str, Any] | None = None

    # -- The body.

    def begin(self) -> None:
        """Check what is known from the headers, for a client that waits before it sends the body."""
        announced = int(self._headers.get("content-length", "0"))
        if self._max_bytes is not None and announced > self._max_bytes + DOCUMENT.max_bytes + _FORM_BYTES:
            raise TooLarge(f"the upload must be at most {self._max_bytes} bytes", headers={"Connection": "close"})
        if "expect" in self._headers:
            with parameter_names(self._exchange.path_parameters):
                self._file.check_flow()

    def add(self, data: bytes | memoryview) -> None:
        self._checksums.update(data)
        self._form.add(data)

    def end(self) -> None:
        self._form.end()
        if self._part != FILE:
            missing = FILE if self._part == SEGMENT else SEGMENT
            raise Invalid(f'part "{missing}" is missing: {self._rule()}', code=error_codes.BODY_FORM, field=missing)
        self._checksums.verify()
        with in_part(FILE):
            self._file.end()

    # -- The parts of the form.

    def begin_part(self, name: str, headers: Mapping[str, str]) -> None:
        expected = {"": SEGMENT, SEGMENT: FILE}.get(self._part)
        with in_part(name):
            if name != expected:
                raise Invalid(f"is not expected here: {self._rule()}", code=error_codes.BODY_FORM, field=name)
            self._part = name
            if name == FILE:
                self._file.read_headers(headers)
            else:
                try:
                    check_media_type(headers.get("content-type"))
                except UnsupportedMediaType as error:
                    raise Invalid(error.message, code=error_codes.BODY_FORM, field=SEGMENT) from None
        if name == FILE:
            self._begin_file()

    def _begin_file(self) -> None:
        """Check the segment by all rules, now that the type of its bytes is known."""
        assert self._document is not None
        try:
            with parameter_names(self._exchange.path_parameters):
                self._file.begin(self._document)
        except Invalid as error:
            with in_part(FILE if error.field == "Content-Type" else SEGMENT):
                raise

    def add_data(self, data: memoryview) -> None:
        if self._part == FILE:
            with in_part(FILE):
                self._file.add(data)
            return
        self._raw += data
        self._share.add(len(data))
        if len(self._raw) > DOCUMENT.max_bytes:
            raise TooLarge(f'part "{SEGMENT}": must be at most {DOCUMENT.max_bytes} bytes')

    def end_part(self) -> None:
        if self._part == SEGMENT:
            with in_part(SEGMENT):
                self._document = self._parsed()
                self._raw = bytearray()

    def _parsed(self) -> dict[str, Any]:
        """The document in the part `segment`. Raises Invalid, TooLarge."""
        operation = self._exchange.operation
        assert operation is not None
        assert operation.body is not None
        part = replace(operation, body=operation.body.parts[SEGMENT])
        document: dict[str, Any] = parse_body(part, self._raw, DOCUMENT)
        validate_body(part, document)
        return escape_document(document) if may_need_escape(self._raw) else document

    def _rule(self) -> str:
        return f'a form has the parts "{SEGMENT}" (JSON) and "{FILE}" (the bytes), once each and in this order'
