"""Starts a process for each picture to decode, and stops those that take too long."""

import importlib.util
import logging
import os
import signal
import subprocess  # nosec B404 - runs this Python only
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from storage import error_codes
from storage.errors import Unavailable, Unsuitable
from storage.thumbnails.request import Answer, PictureRequest, decode_answer, encode_request

_log = logging.getLogger(__name__)

COMMAND: Final = ("-m", "storage.thumbnails.child")
LONGEST_S: Final = 20.0
"""For one picture: reading the media, decoding and encoding."""
_MOST_MEDIA_BYTES: Final = 128 << 20
_MOST_ANSWER_BYTES: Final = 8 << 20
_CHUNK_BYTES: Final = 1 << 16
_ENVIRONMENT: Final = ("PYTHONPATH", "LD_LIBRARY_PATH")
"""What the process gets of the environment, which has secrets."""


def decode(request: PictureRequest, media: Iterator[bytes]) -> bytes:
    """The picture as JPEG, decoded in a process of its own.

    media: the file, of which no more is taken than the picture needs.
    Raises: Unsuitable if it cannot be decoded, or this installation cannot decode any; Unavailable if the machine is
        too busy for that.
    """
    if importlib.util.find_spec("av") is None:
        raise _not_installed()
    with _process() as process:
        truncated = _send(process, request, media)
        output = _receive(process)
    answer = decode_answer(output)
    if answer is None:
        raise _failure(output, process.returncode)
    return _picture(answer, truncated=truncated)


@contextmanager
def _process() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends with the block, or after LONGEST_S. Raises: Unavailable if it cannot start."""
    try:
        process = subprocess.Popen(  # noqa: S603  # nosec B603 - a fixed command
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=Path(__file__).parents[2],
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,  # storage.precedence says why.
        )
    except OSError as error:
        raise _busy(f"no process can be started ({error.strerror})") from error
    killer = threading.Timer(LONGEST_S, process.kill)
    killer.daemon = True
    try:
        _start(killer)
        yield process
    finally:
        killer.cancel()
        _end(process)


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError as error:
        raise _busy(f"no thread can be started ({error})") from error


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
    """Wait for the end of a process that has closed its output, or kill it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    process.kill()
    process.wait()


def _failure(output: bytes, status: int) -> Unavailable | Unsuitable:
    """Why a process gave no answer."""
    was_killed = status == -signal.SIGKILL and len(output) <= _MOST_ANSWER_BYTES
    if not output or was_killed:
        return _busy("the machine has not had enough time or memory for one")
    _log.warning("thumbnails: media made the decoder fail with status %s", status)
    return _undecodable("the decoder failed, or took more processor time or memory than a picture may take")


def _picture(answer: Answer, *, truncated: bool) -> bytes:
    """The picture in an answer. Raises: Unsuitable."""
    if answer.kind == "picture":
        return answer.content
    if answer.kind == "not-installed":
        raise _not_installed()
    reason = answer.content.decode(errors="replace")
    raise _undecodable(f"it is not within the first {_MOST_MEDIA_BYTES} bytes" if truncated else reason)


def _busy(reason: str) -> Unavailable:
    _log.warning("thumbnails: %s", reason)
    return Unavailable(f"no thumbnail can be made now: {reason}; try again later", code=error_codes.THUMBNAIL_BUSY)


def _undecodable(reason: str) -> Unsuitable:
    return Unsuitable(f"the picture cannot be decoded: {reason}", code=error_codes.THUMBNAIL_UNDECODABLE)


def _not_installed() -> Unsuitable:
    return Unsuitable(
        "this server lacks the package for thumbnails: install tams-server[media]",
        code=error_codes.THUMBNAIL_NOT_INSTALLED,
    )
