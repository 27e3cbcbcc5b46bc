"""Serve an emulated VAST Database until it is stopped: `python -m tests.vast_emulator --port 8070 --data DIR`."""

import argparse
import signal
from pathlib import Path

from tests.vast_emulator import Emulator


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.vast_emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free port)")
    parser.add_argument("--data", type=Path, help="folder to store committed data in (default: memory only)")
    parser.add_argument("--bucket", default="tams", help="name of the only bucket (default %(default)s)")
    parser.add_argument("--access", default="access", help="the only valid access key (default %(default)s)")
    parser.add_argument(
        "--conflicts",
        choices=("statement", "commit"),
        default="statement",
        help="when a transaction fails whose row another has changed (default %(default)s)",
    )
    parser.add_argument("--ordered", action="store_true", help="return rows in the order of their insertion")
    parser.add_argument("--idle", type=float, default=30, help="seconds after which an idle transaction is rolled back")
    options = parser.parse_args()
    emulator = Emulator(
        options.conflicts,
        bucket=options.bucket,
        access=options.access,
        port=options.port,
        folder=options.data,
        shuffle=not options.ordered,
        idle_s=options.idle,
    )
    print(f"TAMS_DATABASE_URL={emulator.url('tams')}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    emulator.close()


if __name__ == "__main__":
    main()
