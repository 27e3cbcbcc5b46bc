"""Sharing of counters between the processes of a server, through files that prometheus_client keeps.

A module of its own because `share_counters` must be entered before prometheus_client is imported anywhere.
"""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_log = logging.getLogger(__name__)

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "tams-metrics-"
_LOCK = "in-use"


@contextmanager
def share_counters() -> Iterator[None]:
    """Share the counters of this process and of the processes it forks, in a folder that is removed at the end."""
    _remove_abandoned_folders()
    folder = _make_locked_folder()
    owner = os.getpid()
    os.environ[_VARIABLE] = str(folder)
    try:
        yield
    finally:
        # Forked processes leave this block as well when they exit.
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)


def counters_are_shared() -> bool:
    return _VARIABLE in os.environ


def counters_are_complete() -> bool:
    """Whether the folder is still the one in which the processes began to count."""
    return not counters_are_shared() or Path(os.environ[_VARIABLE], _LOCK).exists()


def renew_folder() -> None:
    """Make the folder again if it was removed, as a cleaner of temporary files may do. To be called after a fork.

    Without it a new process could count nothing, and so serve nothing. What the others count is lost from then on.
    """
    if counters_are_complete():
        return
    _log.error("the folder with the counters of this server, %s, was removed; restart it", os.environ[_VARIABLE])
    try:
        os.makedirs(os.environ[_VARIABLE], mode=0o700, exist_ok=True)
    except OSError as error:
        _log.error("it cannot be made again: %s", error)


def _make_locked_folder() -> Path:
    """Make a folder that stays locked while this process, or any process forked from it, is alive."""
    made = Path(tempfile.mkdtemp(prefix="." + _PREFIX))
    lock = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Renamed only once it is locked, so that no other server takes it for abandoned.
    return made.rename(made.with_name(made.name[1:]))


def _remove_abandoned_folders() -> None:
    """Remove the folders of servers that were killed: those whose lock nobody holds."""
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
