"""Make every process that a server forks tell how much memory it uses: what a leak adds to, whatever the noise.

Loaded by Python itself where this folder is on PYTHONPATH, in place of the module that shifts the clock.
"""

import os
import runpy
import struct
import threading
import time
from pathlib import Path

_memory_used = runpy.run_path(str(Path(__file__).with_name("memory_used.py")))["memory_used"]
_EVERY_S = 0.5


def _write_often(folder: Path) -> None:
    with (folder / str(os.getpid())).open("wb", buffering=0) as file:
        while True:
            os.pwrite(file.fileno(), struct.pack("QQ", *_memory_used()), 0)
            time.sleep(_EVERY_S)


def _measure(folder: Path) -> None:
    folder.mkdir(exist_ok=True)

    def start() -> None:
        threading.Thread(target=_write_often, args=(folder,), name="memory used", daemon=True).start()

    os.register_at_fork(after_in_child=start)


if "MEMORY_USED_FOLDER" in os.environ:
    _measure(Path(os.environ["MEMORY_USED_FOLDER"]))
runpy.run_path(str(Path(__file__).parents[2] / "servers" / "shifted_clock" / "sitecustomize.py"))
