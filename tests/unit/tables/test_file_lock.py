"""The lock between the processes of one machine."""

import fcntl
import multiprocessing
import os
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from storage.tables.file_lock import FileLock

DEADLINE_S = 30.0


def _is_locked(file: str) -> bool:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _wait_until_locked(file: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not _is_locked(file):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_who_waits_comes_before_who_had_it_last(tmp_path: Path) -> None:
    """A process that writes without a pause does not starve another."""
    path = str(tmp_path / "db")
    first, second = FileLock(path), FileLock(path)
    order: list[str] = []

    def wait() -> None:
        with second.hold():
            order.append("second")

    thread = threading.Thread(target=wait)
    with first.hold():
        thread.start()
        _wait_until_locked(f"{path}.queue")
    with first.hold():
        order.append("first")
    thread.join(DEADLINE_S)
    assert order == ["second", "first"]


def _stay(ready: Event, over: Event) -> None:
    ready.set()
    over.wait(DEADLINE_S)


def test_a_forked_process_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    path = str(tmp_path / "db")
    lock = FileLock(path)
    context = multiprocessing.get_context("fork")
    ready, over = context.Event(), context.Event()
    with lock.hold():
        child = context.Process(target=_stay, args=[ready, over])
        child.start()
        assert ready.wait(DEADLINE_S)
        assert _is_locked(f"{path}.lock")
    assert not _is_locked(f"{path}.lock")
    over.set()
    child.join(DEADLINE_S)


def test_a_lock_that_cannot_be_taken_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"), FileLock(str(tmp_path / "missing" / "db")).hold():
        pass
