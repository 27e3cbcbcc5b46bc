"""Starts a process for each picture to decode, a few at a time, and stops those that take too long."""

import importlib.util
import logging
import os
import subprocess  # nosec B404 - runs this Python only
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from storage import error_codes
from storage.errors import Unavailable, Unsuitable
from storage.thumbnails.request import PictureRequest, decode_answer, encode_request

_log = logging.getLogger(__name__)

COMMAND: Final = ("-m", "storage.thumbnails.child")
LONGEST_S: Final = 20.0
"""For one picture: reading the media, decoding and encoding."""
_AT_ONCE: Final = min(4, os.cpu_count() or 1)
_PLACES: Final = _AT_ONCE + 8
_LONGEST_WAIT_S: Final = 10.0
_MOST_MEDIA_BYTES: Final = 128 << 20
_MOST_ANSWER_BYTES: Final = 8 << 20
_CHUNK_BYTES: Final = 1 << 16
_ENVIRONMENT: Final = ("PYTHONPATH", "LD_LIBRARY_PATH")
"""What the process gets of the environment, which has secrets."""


class PictureDecoder:
    """Decodes pictures in processes of their own. Safe for threads."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(_PLACES)
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn to decode a picture, within the block. Raises: Unavailable if too many wait already."""
        busy = Unavailable("too many thumbnails are being made; try again later", code=error_codes.THUMBNAIL_BUSY)
        if not self._places.acquire(blocking=False):
            raise busy
        try:
            if not self._turns.acquire(timeout=_LONGEST_WAIT_S):
                raise busy
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()

    def decode(self, request: PictureRequest, media: Iterator[bytes]) -> bytes:
        """The picture as JPEG. media: the file, of which no more is taken than the picture needs.

        Raises: Unsuitable if it cannot be decoded, or this installation cannot decode any.
        """
        if importlib.util.find_spec("av") is None:
            raise _not_installed()
        process = subprocess.Popen(  # noqa: S603  # nosec B603 - a fixed command
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=Path(__file__).parents[2],
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        killer = threading.Timer(LONGEST_S, process.kill)
        killer.daemon = True
        killer.start()
        try:
            truncated = _send(process, request, media)
            output = _receive(process)
        finally:
            killer.cancel()
            _end(process)
        return _read_answer(output, truncated=truncated)


def _send(process: "subprocess.Popen[bytes]", request: PictureRequest, media: Iterator[bytes]) -> bool:
    """Send media until the process needs no more. Returns whether there was more than it could get."""
    assert process.stdin is not None
    sent = 0
    try:
        _write(process.stdin.fileno(), encode_request(request))
        for chunk in media:
            if sent >= _MOST_MEDIA_BYTES:
                return True
            _write(process.stdin.fileno(), chunk)
            sent += len(chunk)
    except BrokenPipeError:
        pass
    finally:
        process.stdin.close()
    return False


def _write(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view[:_CHUNK_BYTES]) :]


def _receive(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None
    output = b""
    while len(output) <= _MOST_ANSWER_BYTES and (chunk := process.stdout.read(_CHUNK_BYTES)):
        output += chunk
    return output


def _end(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None
    process.stdout.close()
    process.kill()
    process.wait()


def _read_answer(output: bytes, *, truncated: bool) -> bytes:
    """The picture. Raises: Unsuitable."""
    answer = decode_answer(output)
    if answer is None:
        _log.warning("thumbnails: media made the decoder fail, or took more time or memory than a picture may take")
        raise _undecodable("the decoder failed, or took more time or memory than a picture may take")
    jpeg, failure, reason = answer
    if failure == "not-installed":
        raise _not_installed()
    if failure is not None:
        raise _undecodable(f"it is not within the first {_MOST_MEDIA_BYTES} bytes" if truncated else reason)
    return jpeg


def _undecodable(reason: str) -> Unsuitable:
    return Unsuitable(f"the picture cannot be decoded: {reason}", code=error_codes.THUMBNAIL_UNDECODABLE)


def _not_installed() -> Unsuitable:
    return Unsuitable(
        "this server lacks the package for thumbnails: install tams-server[media]",
        code=error_codes.THUMBNAIL_NOT_INSTALLED,
    )
