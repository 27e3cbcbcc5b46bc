"""How much processor time processes beside the server get, for queries and for thumbnails: what requests leave.

A lower priority alone is not enough. Schedulers let even a thread of the lowest priority complete its slice of some
milliseconds before one that wakes up takes its place, which is longer than a request takes. Under SCHED_IDLE of Linux
(sched(7)) any other thread that wakes up runs at once, a core with nothing else to do counts as free, and the kernel
treats reads of the disk in the same way.

That also means that on a machine whose cores are all busy with requests such a process gets next to nothing, and meets
its time limit. So it starts, which takes up to a second of processor time, at a low priority only.

Linux may also share out the cores among sessions before it does so among the threads of each (sched_autogroup). Such a
thread would then run at the weight of the server's session while a client, a proxy or a database in another one waits:
the 95th percentile of a listing rose from 1.7 to 3.1 ms. So these processes have sessions of their own, of low weight.
"""

import contextlib
import os
import time
from pathlib import Path

_STARTING = 10
_LOWEST = 19
_THREADS = Path("/proc/self/task")
_AUTOGROUP = Path("/proc/self/autogroup")
_ATTEMPTS = 3
_PAUSE_S = 0.1


def start_low() -> None:
    """Lower the priority of this thread, of those that it starts, and of the session if this process leads one."""
    os.nice(_STARTING)
    _weigh_session(_STARTING)


def yield_to_requests() -> None:
    """Run the threads of this process, and those that they start, only while others leave a core free.

    It cannot be taken back. If the process leads a session, everything in that session gets the lowest weight.
    """
    os.nice(_LOWEST)  # Ends at the lowest, however low it is already.
    _weigh_session(_LOWEST)
    if hasattr(os, "SCHED_IDLE"):
        for thread in os.listdir(_THREADS) if _THREADS.is_dir() else ("0",):
            with contextlib.suppress(OSError):  # A sandbox may forbid it, and a thread may have ended.
                os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))


def _weigh_session(nice: int) -> None:
    """Give the session the weight of this priority if this process leads it: never that of a server or a terminal."""
    if os.getsid(0) != os.getpid():
        return
    for _ in range(_ATTEMPTS):
        try:
            _AUTOGROUP.write_text(str(nice))
        except BlockingIOError:  # Ten changes a second are permitted on the machine.
            time.sleep(_PAUSE_S)
        except OSError:  # Other systems do not have the file.
            return
        else:
            return
