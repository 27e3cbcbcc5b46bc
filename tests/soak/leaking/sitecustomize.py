"""Make every process that a server forks leak memory and open files: the fault that a soak must find.

Loaded by Python itself where this folder is on PYTHONPATH, in place of the module that measures memory.
"""

import os
import runpy
import threading
import time
from pathlib import Path

_BYTES = 200_000
_EVERY_S = 0.1
_TIMES = 300
"""So that the process can still open files when it is stopped."""
_kept: list[object] = []


def _leak() -> None:
    for _ in range(_TIMES):
        _kept.append(bytearray(os.urandom(_BYTES)))
        _kept.append(open(os.devnull))  # noqa: SIM115 - is never closed
        time.sleep(_EVERY_S)


os.register_at_fork(after_in_child=lambda: threading.Thread(target=_leak, daemon=True).start())
runpy.run_path(str(Path(__file__).parents[1] / "measured" / "sitecustomize.py"))
