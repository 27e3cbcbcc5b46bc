"""Child processes that never outlive the tests that start them, however these end (Linux)."""

import os
import sys
from collections.abc import Sequence

# prctl(PR_SET_PDEATHSIG, SIGKILL)
_WRAPPER = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9)\n"
    "os.getppid() == int(sys.argv[1]) or sys.exit('the parent process has ended')\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


def killed_with_parent(command: Sequence[str]) -> list[str]:
    """`command`, whose first word is a path, wrapped so that it is killed when the thread that starts it ends."""
    return [sys.executable, "-c", _WRAPPER, str(os.getpid()), *command]
