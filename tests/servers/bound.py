"""Servers of tests that do not outlive them, however these end (Linux)."""

import os
import sys
from collections.abc import Sequence

# prctl(PR_SET_PDEATHSIG, SIGKILL)
_BOUND = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9)\n"
    "os.getppid() == int(sys.argv[1]) or sys.exit('the starter is gone')\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


def bound(command: Sequence[str]) -> list[str]:
    """The same command (its first word a path), killed when the thread that starts it ends."""
    return [sys.executable, "-c", _BOUND, str(os.getpid()), *command]
