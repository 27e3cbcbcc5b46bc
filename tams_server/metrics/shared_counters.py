"""Has all processes of one server count together: prometheus_client then keeps its numbers in files that they share.

Apart from tams_server.metrics, since it must be done before prometheus_client is imported anywhere.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "tams-metrics-"
_LOCK = "in-use"


@contextmanager
def counters_shared() -> Iterator[None]:
    """Share numbers between this process and those that it forks, in a folder that is removed at the end."""
    _remove_abandoned()
    folder = _make_folder()
    owner = os.getpid()
    os.environ[_VARIABLE] = str(folder)
    try:
        yield
    finally:
        # Forked processes leave this block too, on their way out.
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)


def are_shared() -> bool:
    return _VARIABLE in os.environ


def _make_folder() -> Path:
    """A folder that is locked as long as this process, or one forked off it, lives."""
    made = Path(tempfile.mkdtemp(prefix="." + _PREFIX))
    lock = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return made.rename(made.with_name(made.name[1:]))


def _remove_abandoned() -> None:
    """Remove the folders of servers that were killed, whose locks nobody holds any more."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
