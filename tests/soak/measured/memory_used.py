"""How much memory this process uses, as opposed to how much it holds."""

import ctypes
import sys


class _MallInfo2(ctypes.Structure):
    """`struct mallinfo2` of mallinfo(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def memory_used() -> tuple[int, int]:
    """Return the bytes that are allocated from the C library, and the number of Python objects of 512 bytes at most.

    Python takes the memory for these in large pieces that neither number includes. Raises AttributeError without
    glibc 2.33 or later.
    """
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _MallInfo2
    allocated = mallinfo2()
    return allocated.uordblks + allocated.hblkhd, sys.getallocatedblocks()
