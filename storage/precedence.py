"""How much processor time processes beside the server get, for queries and for thumbnails: what requests leave.

A lower priority alone is not enough. Schedulers let even a thread of the lowest priority complete its slice of some
milliseconds before one that wakes up takes its place, which is longer than a request takes. Under SCHED_IDLE of Linux
(sched(7)) any other thread that wakes up runs at once, a core with nothing else to do counts as free, and the kernel
treats reads of the disk in the same way.

That also means that on a machine whose cores are all busy with requests such a process gets next to nothing, and meets
its time limit. So it starts, which takes up to a second of processor time, at a low priority only.
"""

import contextlib
import os
from pathlib import Path

_STARTING = 10
_LOWEST = 19
_THREADS = Path("/proc/self/task")


def start_low() -> None:
    """Lower the priority of this thread, and of those that it starts."""
    os.nice(_STARTING)


def yield_to_requests() -> None:
    """Run the threads of this process, and those that they start, only while others leave a core free.

    It cannot be taken back.
    """
    os.nice(_LOWEST)  # Ends at the lowest, however low it is already.
    if hasattr(os, "SCHED_IDLE"):
        for thread in os.listdir(_THREADS) if _THREADS.is_dir() else ("0",):
            with contextlib.suppress(OSError):  # A sandbox may forbid it, and a thread may have ended.
                os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))
