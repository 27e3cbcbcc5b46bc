"""F19: what media gain that take over the process of a picture, and what a busy machine is reported as."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from storage import error_codes
from storage.errors import TamsError, Unavailable, Unsuitable
from storage.thumbnails import decoder
from storage.thumbnails.request import Answer, PictureRequest, encode_answer

from . import clips

Take = Callable[..., None]


@pytest.fixture
def take_over(monkeypatch: pytest.MonkeyPatch) -> Take:
    """Have the process run these statements in place of decoding, as media could make it do."""

    def take(script: str, cpu_s: int = 10) -> None:
        lines = (
            "import os, storage.thumbnails.picture as picture, storage.thumbnails.child as child",
            f"child._CPU_S = {cpu_s}",
            f"def taken(media, request):\n    {script}\n    return b'taken over'",
            "picture.make_thumbnail = taken",
            "child.main()",
        )
        monkeypatch.setattr(decoder, "COMMAND", ("-c", "\n".join(lines)))
        monkeypatch.setattr(decoder, "LONGEST_S", 60.0)

    return take


def decode() -> bytes:
    """Decode the first picture. Fails if a process is left behind."""
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", Noted)
        try:
            return decoder.decode(PictureRequest("mpegts", 0, 0, 320), iter([clips.make_ts(0, 1)]))
        finally:
            assert [process.returncode for process in started] != [None]


def failure() -> TamsError:
    with pytest.raises(TamsError) as caught:
        decode()
    return caught.value


HOSTILE = {
    "forever": "while True: pass",
    "memory": "blocks = [bytearray(1 << 28) for _ in range(64)]",
    "files": "open('/etc/passwd')",
    "sockets": "import socket; socket.socket()",
    "crash": "os.kill(os.getpid(), 11)",
    "silence": "os._exit(0)",
    "endless": "while True: os.write(1, bytes(1 << 16))",
    "short": f"os.write(1, {encode_answer(Answer('picture', b'JPEG'))[:-1]!r}); os._exit(0)",
    "head": r"os.write(1, b'\0\0'); os._exit(0)",
    "kind": r"os.write(1, b'\7\0\0\0\0'); os._exit(0)",
    "more": r"os.write(1, b'\0\0\0\0\0')",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_media_that_take_over_the_process_gain_nothing(take_over: Take, name: str) -> None:
    take_over(HOSTILE[name], cpu_s=1)
    error = failure()
    assert (type(error), error.code) == (Unsuitable, error_codes.THUMBNAIL_UNDECODABLE)


@pytest.mark.parametrize(
    ("script", "longest_s"), [("import time; time.sleep(60)", 2.0), ("os.kill(os.getpid(), 9)", 60.0)]
)
def test_a_process_that_is_ended_from_outside_is_not_the_fault_of_media(
    take_over: Take, monkeypatch: pytest.MonkeyPatch, script: str, longest_s: float
) -> None:
    take_over(script)
    monkeypatch.setattr(decoder, "LONGEST_S", longest_s)
    error = failure()
    assert (type(error), error.code) == (Unavailable, error_codes.THUMBNAIL_BUSY)


def test_a_process_that_fails_before_it_has_media_is_not_their_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "COMMAND", ("-c", "raise MemoryError"))
    assert isinstance(failure(), Unavailable)


def test_without_a_process_or_a_thread_the_server_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Timer, "start", fail)
        assert isinstance(failure(), Unavailable)

    def no_process(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(subprocess.Popen, "__init__", no_process)
    assert isinstance(failure(), Unavailable)


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="only Linux has this policy")
def test_requests_go_first(take_over: Take) -> None:
    take_over("return f'{os.sched_getscheduler(0)} {os.nice(0)} {os.getsid(0) == os.getpid()}'.encode()")
    assert decode() == f"{os.SCHED_IDLE} 19 True".encode()


def test_processes_share_turns_and_do_not_wait_for_them_for_ever() -> None:
    script = """
import os
from storage.errors import Unavailable
from tams_server.auth.machine_turns import MachineTurns
turns = MachineTurns(1)
with turns.turn():
    child = os.fork()
    if not child:
        try:
            with turns.turn(0.1):
                os._exit(1)
        except Unavailable:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
with turns.turn(0.1):
    pass
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
