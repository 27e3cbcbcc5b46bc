"""Sharing of counters between the processes of a server, through files that prometheus_client keeps.

A module of its own because `share_counters` must be entered before prometheus_client is imported anywhere.
"""

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_log = logging.getLogger(__name__)

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "tams-metrics-"
_LOCK = "in-use"
_IN_MEMORY = Path("/dev/shm")  # noqa: S108  # nosec B108 - for a folder of its own
_KINDS = ("counter", "histogram", "gauge_livesum")
_FILE_BYTES = 2**20
"""Enough for thousands of counters."""
_USED = struct.Struct("i")
"""The number of bytes in use, at the beginning of a file."""
_LEAST_BYTES = 8
"""Of a file, since its beginning is read even if nothing has been counted in it."""


@contextmanager
def share_counters() -> Iterator[None]:
    """Share the counters of this process and of the processes it forks, in a folder that is removed at the end."""
    _remove_abandoned_folders()
    folder = _make_locked_folder()
    owner = os.getpid()
    os.environ[_VARIABLE] = str(folder)
    begin_counting()
    try:
        yield
    finally:
        # Forked processes leave this block as well when they exit.
        if os.getpid() == owner:
            for each in (folder, _IN_MEMORY / folder.name):
                shutil.rmtree(each, ignore_errors=True)


def counters_are_shared() -> bool:
    return _VARIABLE in os.environ


def counters_are_complete() -> bool:
    """Whether all processes count in the folder in which they began to count."""
    if not counters_are_shared():
        return True
    folder = Path(os.environ[_VARIABLE])
    return (folder / _LOCK).exists() and not _is_own(_IN_MEMORY / folder.name)


def begin_counting() -> None:
    """Prepare the files of this process. To be called in each one, before it counts anything.

    Their space is reserved: a process that writes to a part of a mapped file for which the disk has no room is killed.
    If there is none, or the folder was removed, as a cleaner of temporary files may do, the process counts all the
    same, since it could serve nothing otherwise; but what is counted is not complete then.
    """
    if not counters_are_shared():
        return
    folder = Path(os.environ[_VARIABLE])
    if not folder.exists():
        _log.error("the folder with the counters of this server, %s, was removed; restart it", folder)
    try:
        _reserve(folder)
    except OSError as error:
        _log.error("no counters can be kept in %s: %s; restart the server once they can", folder, error)
        other = _IN_MEMORY / folder.name
        with contextlib.suppress(OSError):
            _reserve(other)
            os.environ[_VARIABLE] = str(other)


def end_counting(pid: int) -> None:
    """Give back the space that a process which has ended did not use. Its counts are kept, if it shared them."""
    folder = Path(os.environ[_VARIABLE])
    for kind in _KINDS:
        name = f"{kind}_{pid}.db"
        with contextlib.suppress(OSError), (folder / name).open("rb+") as file:
            head = file.read(_USED.size)
            file.truncate(max(_USED.unpack(head)[0] if len(head) == _USED.size else 0, _LEAST_BYTES))
        in_memory = _IN_MEMORY / folder.name
        if in_memory != folder and _is_own(in_memory):
            (in_memory / name).unlink(missing_ok=True)


def _reserve(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_own(folder):
        raise PermissionError(errno.EPERM, "the folder is not of this user")
    for kind in _KINDS:
        path = folder / f"{kind}_{os.getpid()}.db"
        if path.exists():  # of an earlier process with this number
            _allocate(path)
            continue
        # Other processes read all that ends in .db, and fail if it has no beginning.
        new = path.with_suffix(".new")
        try:
            _allocate(new)
            new.rename(path)
        except OSError:
            new.unlink(missing_ok=True)
            raise


def _allocate(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if sys.platform == "darwin":
            os.ftruncate(descriptor, _FILE_BYTES)
        else:
            os.posix_fallocate(descriptor, 0, _FILE_BYTES)
    finally:
        os.close(descriptor)


def _is_own(folder: Path) -> bool:
    """Whether there is such a folder, and it is one of this user."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


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
            for each in (lock.parent, _IN_MEMORY / lock.parent.name):
                shutil.rmtree(each, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
