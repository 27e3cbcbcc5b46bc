"""What is asked of the process that decodes a picture, and what it answers, as they pass through its pipes."""

import json
import struct
from dataclasses import asdict, dataclass
from typing import BinaryIO, Final, Literal

_LENGTH: Final = struct.Struct(">I")
_ANSWER: Final = struct.Struct(">BI")
"""What the answer is, and how many bytes follow."""

MediaFormat = Literal["mpegts", "mp4", "fragmented_mp4"]
Kind = Literal["picture", "undecodable", "not-installed"]
_KINDS: Final[tuple[Kind, ...]] = ("picture", "undecodable", "not-installed")

BEGUN: Final = b"+"
"""What the process sends before it touches the media. If it fails later, they are to blame."""


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """Which picture of a file to show.

    format: of the file. time_ns: on the timeline of the object, which begins there at object_start_ns; the picture
    shown then is requested. width: of the JPEG, in pixels; less if the picture is narrower.
    """

    format: MediaFormat
    time_ns: int
    object_start_ns: int
    width: int


@dataclass(frozen=True, slots=True)
class Answer:
    """content: the picture as JPEG, or why there is none."""

    kind: Kind
    content: bytes


def encode_request(request: PictureRequest) -> bytes:
    """The request as it precedes the media in the input of the process."""
    text = json.dumps(asdict(request)).encode()
    return _LENGTH.pack(len(text)) + text


def read_request(stream: BinaryIO) -> PictureRequest:
    """Read a request from the input of the process. The media follow it."""
    (length,) = _LENGTH.unpack(stream.read(_LENGTH.size))
    return PictureRequest(**json.loads(stream.read(length)))


def encode_answer(answer: Answer) -> bytes:
    """The output of the process after BEGUN."""
    return _ANSWER.pack(_KINDS.index(answer.kind), len(answer.content)) + answer.content


def decode_answer(output: bytes) -> Answer | None:
    """The answer in the output of the process; None if it is not exactly one, because media took over or ended it."""
    end = len(BEGUN) + _ANSWER.size
    if len(output) < end:
        return None
    kind, length = _ANSWER.unpack_from(output, len(BEGUN))
    return Answer(_KINDS[kind], output[end:]) if kind < len(_KINDS) and length == len(output) - end else None
