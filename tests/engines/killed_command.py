"""Runs a command of tams-server that is killed (SIGKILL) at a step of its progress: STEP COMMAND ...

Status 0 means that the command had fewer steps.
"""

import itertools
import os
import signal
import sys
from collections.abc import Iterator

from storage.tables import transfer
from tams_server.cli.main import main
from tams_server.cli.progress import Progress

SMALL_BATCH = 7


def kill_at(step: int) -> None:
    """Kill this process when progress is made for the `step`th time. Tables are moved in small batches meanwhile."""
    steps: Iterator[int] = itertools.count(1)

    def show(self: Progress, what: str, count: int) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    Progress.show = show  # type: ignore[method-assign]
    transfer._BATCH = SMALL_BATCH


if __name__ == "__main__":
    kill_at(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
