"""Memory that was freed goes back to the system, or to the next request, on systems with glibc.

glibc raises the size from which a block is mapped on its own as soon as such a block is freed, up to 32 MiB. From then
on large bodies and documents lie in the heaps of threads, between small objects that stay, and their pages cannot be
returned: 6,000 hostile requests left a process 110 MiB larger, and 15 MiB with a fixed size.

It also gives threads heaps of their own, up to eight for each core, and what one thread has freed is of no use to the
others. Under mixed traffic a process held 16 MiB of free memory in them after 14,000 requests, and more with each peak.
Threads of Python allocate one at a time, so that two heaps are enough for all.
"""

import ctypes
import os
import sys

_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE = 2**20
"""Bytes of a block that is mapped on its own, and of unused memory at the end of a heap that is returned."""
_HEAPS = 2
_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES")


def return_freed_memory() -> None:
    """Fix the sizes at which memory is returned, and the number of heaps, for this process and those forked from it.

    Nothing is changed if the environment sets any of that (mallopt(3)). Other C libraries have their own ways.
    """
    if sys.platform != "linux" or not os.environ.keys().isdisjoint(_VARIABLES):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)
        mallopt(_M_ARENA_MAX, _HEAPS)
