"""Start a database and serve from it, to try it out: `python -m tests.servers postgresql` or `vast-emulated`.

The data are kept in the data folder (TAMS_DATA_DIR) and are available again at the next start.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.servers.postgres import PostgresServer
from tests.servers.vast import VastServer


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("store", choices=("postgresql", "vast-emulated"))
    store = parser.parse_args().store
    folder = Path(os.environ.get("TAMS_DATA_DIR") or "tams-data").resolve()
    with ExitStack() as stack:
        if store == "postgresql":
            postgres = PostgresServer.open(folder / "postgresql")
            stack.callback(postgres.stop)
            url = postgres.url()
        else:
            url = stack.enter_context(VastServer(folder / "vast-emulated")).url("tams")
        print(f"For other commands at the same time:\n\n    export TAMS_DATABASE_URL={shlex.quote(url)}\n", flush=True)
        command = [sys.executable, "-m", "tams_server", "serve"]
        process = subprocess.Popen(command, env={**os.environ, "TAMS_DATABASE_URL": url})
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: process.send_signal(received))
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
