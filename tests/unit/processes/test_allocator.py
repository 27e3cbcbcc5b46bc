"""Blocks that were freed leave no memory behind, even between others that stay, whatever thread has freed them."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries return memory in their own ways"
)

BEGIN = """
import sys, threading
from pathlib import Path
from tams_server.processes.allocator import return_freed_memory

def in_use():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "fixed":
    return_freed_memory()
"""
LARGE_BETWEEN_SMALL = f"""
{BEGIN}
del (_ := [bytearray(16 * 2**20)])[:]  # teaches glibc that blocks of 16 MiB are common
before = in_use()
large, small = [], []
for _ in range(8):
    large.append(bytearray(b"x") * (4 * 2**20))
    small += [bytes(300 + number) for number in range(600)]
large.clear()
print(in_use() - before)
"""
THREADS_IN_TURN = f"""
{BEGIN}
kept, turn, ended = [], threading.Lock(), threading.Event()

def work(done):
    with turn:
        blocks = [bytearray(20_000) for _ in range(200)]
        kept.append(blocks[-1])
        del blocks
    done.release()
    ended.wait()

before, done = in_use(), threading.Semaphore(0)
for _ in range(16):
    threading.Thread(target=work, args=(done,), daemon=True).start()
for _ in range(16):
    done.acquire()
print(in_use() - before)
ended.set()
"""


def left_behind(program: str, mode: str) -> int:
    run = subprocess.run([sys.executable, "-c", program, mode], capture_output=True, text=True, check=True)
    return int(run.stdout)


def test_freed_memory_is_returned() -> None:
    assert left_behind(LARGE_BETWEEN_SMALL, "as it is") > 16 * 2**20
    assert left_behind(LARGE_BETWEEN_SMALL, "fixed") < 8 * 2**20


def test_what_one_thread_has_freed_serves_the_others() -> None:
    assert left_behind(THREADS_IN_TURN, "as it is") > 16 * 2**20
    assert left_behind(THREADS_IN_TURN, "fixed") < 16 * 2**20
