"""Run `tams` in this process, which is killed (SIGKILL) at a point of an ingest: POINT NUMBER COMMAND ...

The NUMBERth time that the point is reached is the last.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tams_server.client_cli.main import main
from tams_server.client_media.object_upload import ObjectUploader
from tams_server.client_media.segment_writer import SegmentWriter

POINTS = ("before upload", "after upload", "before register", "after register")


def install(point: str, number: int) -> None:
    """Have this process reach the points."""
    left = [number]

    def reach(reached: str) -> None:
        if reached == point:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    def killing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            reach(f"before {name}")
            found = function(*arguments)
            reach(f"after {name}")
            return found

        return run

    ObjectUploader._once = killing("upload", ObjectUploader._once)  # type: ignore[method-assign]
    SegmentWriter._add = killing("register", SegmentWriter._add)  # type: ignore[method-assign]


if __name__ == "__main__":
    install(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
