"""`tams-server replicate` as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence

from tests.replication.pair import Pair
from tests.servers.child_process import killed_with_parent


def environment(pair: Pair) -> dict[str, str]:
    """The environment with credentials for both servers."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TAMS_")}
    return own | {
        "FROM_TAMS_TOKEN": pair.origin.token,
        "TO_TAMS_TOKEN": pair.target.token,
        "XDG_STATE_HOME": str(pair.folder),
    }


def replicate(
    pair: Pair, *options: str, module: Sequence[str] = ("tams_server",), timeout_s: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end. module: a module to run, and its arguments before those of the command."""
    command = [sys.executable, "-m", *module, "replicate", pair.origin.url, pair.target.url, *options]
    return subprocess.run(
        killed_with_parent(command), env=environment(pair), capture_output=True, text=True, timeout=timeout_s
    )
