"""The `tams` command as a process, which Ctrl-C ends quietly, also while its modules are being imported.

So this module imports little: `command_line` is the program.
"""

import signal
import sys
from collections.abc import Sequence

from tams_server.client_cli.stop_signal import end_at_once, interrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command named by `arguments` and return its exit status, one of `errors`.

    By default the arguments are those of this process. Signals are handled only then, and only if they are not ignored.
    """
    if arguments is not None or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        from tams_server.client_cli.command_line import run

        return run(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGINT, end_at_once)  # nothing is to be cleaned up yet
    from tams_server.client_cli.command_line import run

    signal.signal(signal.SIGINT, interrupt)
    try:
        return run(sys.argv[1:])
    finally:
        signal.signal(signal.SIGINT, end_at_once)
