"""F7: bodies of multipart/form-data (RFC 7578), read part by part as they arrive, at a bounded cost for each byte.

The parser is that of python-multipart. What it leaves open is rejected here: text around the parts, the boundary within
a part, and parts in other encodings.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from storage.errors import Invalid
from tams_server import error_codes

_MAX_HEADERS: Final = 16
_MAX_HEADER_BYTES: Final = 4096
_PIECE_BYTES: Final = 8192
"""Passed to the parser at a time until the last part begins, so that errors are found early."""
_MAX_BLANK_BYTES: Final = 64
"""Spaces that may follow a boundary, and line ends that may follow the last one."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SHOWN: Final = 100
"""Characters of text of a client that a message repeats."""
_IDENTITY: Final = ("7bit", "8bit", "binary")


class FormParts(Protocol):
    """Takes the parts of a form, one after the other. Every method may raise anything. names: of all parts.

    Its errors say themselves in which part they are (`in_part`), which may be an earlier one.
    """

    names: Sequence[str]

    def begin_part(self, name: str, headers: Mapping[str, str]) -> None:
        """Begin a part. headers: by lower-case name."""

    def add_data(self, data: memoryview) -> None:
        """Take the next bytes of the part, which change when this has returned."""

    def end_part(self) -> None:
        """End the part."""


class FormReader:
    """Reads one form: `add` the bytes of the body, then `end`. All methods raise Invalid, and what the parts raise."""

    def __init__(self, boundary: bytes, parts: FormParts) -> None:
        self._parts = parts
        self._opening, self._closing = b"--" + boundary, b"--" + boundary + b"--"
        self._delimiter = b"\r\n--" + boundary
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_part_data": self._add_data,
                "on_part_end": parts.end_part,
                "on_header_field": self._add_header_name,
                "on_header_value": self._add_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
            },
            max_header_count=_MAX_HEADERS,
            max_header_size=_MAX_HEADER_BYTES,
        )
        self._start: bytes | None = b""
        self._begun = self._delimiters = self._padding = self._after_end = 0
        self._tail = b""
        self._where = ""
        self._name, self._value = bytearray(), bytearray()
        self._headers: dict[str, str] = {}

    def add(self, data: bytes | memoryview) -> None:
        """Read the next bytes."""
        if self._start is None:
            self._read(bytes(data))
            return
        self._start += data
        if len(self._start) >= len(self._opening) + 2:
            start, self._start = self._start, None
            self._check_start(start)
            self._read(start)

    def end(self) -> None:
        """Check that the form is complete."""
        if self._start is not None:
            self._check_start(self._start)
        if self._parser.state != MultipartState.END:
            raise _malformed("the body ends before the form does: its last line must be the boundary between two '--'")
        if not self._tail.rstrip(b"\r\n").endswith(self._closing):
            raise _after_end()

    def _check_start(self, start: bytes) -> None:
        if not start.startswith(self._opening):
            raise _malformed("the body must begin with '--' and the boundary of the Content-Type, without a preamble")
        if start[len(self._opening) :][:2] not in (b"\r\n", b"--"):
            raise _malformed("the boundary must be followed by CRLF: lines of a form end in CRLF, not in LF alone")

    def _read(self, data: bytes) -> None:
        kept = len(self._closing) + _MAX_BLANK_BYTES
        self._tail = (data if len(data) >= kept else self._tail + data)[-kept:]
        # A parser would take each of these for data, at a cost far above that of other bytes.
        self._delimiters += data.count(self._delimiter)
        if self._delimiters > len(self._parts.names):
            names = " and ".join(map(_quoted, self._parts.names))
            raise _malformed(f"the form must have the parts {names} alone, and the boundary must not occur within them")
        start = 0
        while start < len(data):
            end = len(data) if self._begun == len(self._parts.names) else start + _PIECE_BYTES
            self._parse(data[start:end])
            start = end

    def _parse(self, piece: bytes) -> None:
        if self._parser.state == MultipartState.END:
            self._after_end += len(piece)
            if piece.strip(b"\r\n") or self._after_end > _MAX_BLANK_BYTES:
                raise _after_end()
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            rule = f"headers are lines of 'Name: value' that end in CRLF, {_MAX_HEADERS} of {_MAX_HEADER_BYTES} bytes"
            raise _malformed(f"{self._where or 'the form'}: {error}; {rule} at most") from None
        if self._parser.state == MultipartState.BOUNDARY_PADDING:
            self._padding += len(piece) - len(piece.rstrip(b" \t"))
            if self._padding > _MAX_BLANK_BYTES:
                raise _malformed("the boundary must be followed by CRLF, not by spaces")

    # -- What the parser finds.

    def _begin_part(self) -> None:
        self._begun += 1
        self._where = f"part {self._begun}"
        self._headers = {}

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        name, value = self._name.decode("latin-1").lower(), self._value.decode("latin-1").strip(" \t")
        self._name, self._value = bytearray(), bytearray()
        if _CONTROL.search(value):
            raise _malformed(f"{self._where}: {name} must be one line, without control characters, that ends in CRLF")
        if name in self._headers:
            raise _malformed(f"{self._where}: {name} must be given only once")
        self._headers[name] = value

    def _end_headers(self) -> None:
        kind, options = parse_options_header(self._headers.get("content-disposition", ""))
        if kind != b"form-data" or b"name" not in options:
            raise _malformed(f"{self._where}: needs the header Content-Disposition: form-data with a name")
        name = options[b"name"].decode("latin-1")
        self._where = f"part {_quoted(name)}"
        with in_part(name):
            self._check_encoding()
        self._parts.begin_part(name, self._headers)

    def _check_encoding(self) -> None:
        encoding = self._headers.get("content-transfer-encoding", "binary")
        if encoding.lower() not in _IDENTITY:
            raise _malformed(f"Content-Transfer-Encoding must be binary, not {_quoted(encoding)} (RFC 7578, 4.7)")
        if self._headers.get("content-type", "").lower().startswith("multipart/"):
            raise _malformed("Content-Type must not be multipart: parts have no parts of their own")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._parts.add_data(memoryview(data)[start:end])


@contextmanager
def in_part(name: str) -> Iterator[None]:
    """Make errors say in which part they are."""
    try:
        yield
    except Invalid as error:
        error.message = f"part {_quoted(name)}: {error.message}"
        error.field = error.field or name
        raise


def _quoted(text: str) -> str:
    """Quote text of a client for a message, cut if it is long."""
    return f'"{text if len(text) <= _SHOWN else text[:_SHOWN] + "..."}"'


def _malformed(message: str) -> Invalid:
    return Invalid(message, code=error_codes.BODY_FORM)


def _after_end() -> Invalid:
    return _malformed("nothing may follow the last boundary of the form but the end of its line")
