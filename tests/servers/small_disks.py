"""Run a function in a process that sees small file systems at some folders, which can be filled (Linux).

They are mounted in a mount namespace of that process and its children: without a trace for anyone else, and without
root's rights where the kernel lets users have namespaces of their own.
"""

import contextlib
import ctypes
import functools
import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_NEW_MOUNTS = 0x00020000
_NEW_USERS = 0x10000000
_MAPS = ("setgroups", "uid_map", "gid_map")
MIB = 2**20


@functools.cache
def reason_against() -> str:
    """Why this machine cannot do it, with the command that shows it; "" if it can."""
    if sys.platform != "linux":
        return "mount namespaces need Linux"
    command = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    command += ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
    with contextlib.suppress(OSError):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return ""
    return f"small file systems cannot be mounted here, as shown by: {' '.join(command)}"


def run_on_small_disks(sizes: Mapping[Path, int], function: Callable[..., None], *args: Any) -> None:
    """Call `function(*args)` in a process of its own, with an empty file system of so many bytes at each folder.

    Folders are created. Raises AssertionError with the traceback if the function raised.
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, dict(sizes), function, args))
    process.start()
    theirs.close()
    try:
        error = mine.recv()
    except EOFError:
        error = "the process ended"
    process.join(60)
    if error:
        raise AssertionError(error)


def free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def fill(folder: Path, leave: int = 0) -> Path:
    """Write a file, as another program might, so that only `leave` bytes remain free. Returns the file."""
    file = folder / "of-another-program"
    with file.open("ab", buffering=0) as opened:
        size, part = opened.tell(), free_bytes(folder)
        while part > 0 and (more := min(part, free_bytes(folder) - leave)) > 0:
            try:
                os.posix_fallocate(opened.fileno(), size, more)
            except OSError:
                part = more // 2  # others have taken some of it meanwhile
            else:
                size += more
    return file


def _run(answers: Connection, sizes: Mapping[Path, int], function: Callable[..., None], args: tuple[Any, ...]) -> None:
    try:
        _enter_namespace()
        for folder, size in sizes.items():
            folder.mkdir(parents=True, exist_ok=True)
            options = f"size={size},mode=0755"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
        function(*args)
    except BaseException:
        answers.send(traceback.format_exc())
    else:
        answers.send("")


def _enter_namespace() -> None:
    """Raises OSError."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS | (_NEW_USERS if user else 0)):
        raise OSError(ctypes.get_errno(), "unshare")
    if user:
        for name, text in zip(_MAPS, ("deny", f"0 {user} 1", f"0 {group} 1"), strict=True):
            Path("/proc/self", name).write_text(text)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
