"""What is asked of the process that decodes a picture, and what it answers, as they pass through its pipes."""

import json
import struct
from dataclasses import asdict, dataclass
from typing import BinaryIO, Final, Literal

_LENGTH: Final = struct.Struct(">I")

MediaFormat = Literal["mpegts", "mp4", "fragmented_mp4"]
Failure = Literal["undecodable", "not-installed"]


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """Which picture of a file to show.

    format: of the file. time_ns: on the timeline of the file; the picture shown then is requested.
    width: of the JPEG, in pixels; less if the picture is narrower.
    """

    format: MediaFormat
    time_ns: int
    width: int


def encode_request(request: PictureRequest) -> bytes:
    """The request as it precedes the media in the input of the process."""
    text = json.dumps(asdict(request)).encode()
    return _LENGTH.pack(len(text)) + text


def read_request(stream: BinaryIO) -> PictureRequest:
    """Read a request from the input of the process. The media follow it."""
    (length,) = _LENGTH.unpack(stream.read(_LENGTH.size))
    return PictureRequest(**json.loads(stream.read(length)))


def encode_answer(jpeg: bytes, failure: Failure | None = None, reason: str = "") -> bytes:
    """The output of the process: a picture, or why there is none."""
    head = json.dumps({"failure": failure, "reason": reason}).encode()
    return _LENGTH.pack(len(head)) + head + jpeg


def decode_answer(output: bytes) -> tuple[bytes, Failure | None, str] | None:
    """The picture, the failure and its reason; None if the process ended before it had answered."""
    if not output:
        return None
    end = _LENGTH.size + _LENGTH.unpack_from(output)[0]
    head = json.loads(output[_LENGTH.size : end])
    return output[end:], head["failure"], head["reason"]
