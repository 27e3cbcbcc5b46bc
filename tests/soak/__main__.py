"""Run mixed traffic against a real server for minutes, or kill it again and again: `make soak`."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.server_process import ServerProcess
from tests.servers.clock import ServerClock
from tests.servers.stores import CATALOGUES, MEDIA, running
from tests.soak.kills import KillReport, run_kills
from tests.soak.soaking import SETTINGS as SOAK_SETTINGS
from tests.soak.soaking import SoakReport, run_soak
from tests.soak.subject import new_server


def main() -> int:
    arguments = _parser().parse_args()
    seed = arguments.seed if arguments.seed is not None else time.time_ns() % 10**9
    random.seed(seed)
    _say(f"catalogue: {arguments.store}, media: {arguments.media}, seed: {seed}")
    with (
        running(arguments.store, arguments.media) as stores,
        tempfile.TemporaryDirectory(prefix="tams-soak-") as temporary,
        new_server(arguments.folder or Path(temporary), stores, {} if arguments.kills else SOAK_SETTINGS) as (
            server,
            clock,
        ),
    ):
        try:
            report = _run(arguments, server, clock)
        except BaseException:
            print(f"The end of the server's log:\n{server.log[-4000:]}", file=sys.stderr)
            raise
    print(report)
    return 1 if report.has_failed else 0


def _run(arguments: argparse.Namespace, server: ServerProcess, clock: ServerClock) -> KillReport | SoakReport:
    if arguments.kills:
        return run_kills(server, clock, arguments.kills, authors=arguments.clients, say=_say)
    return run_soak(server, clock, arguments.minutes, authors=arguments.clients, say=_say)


def _say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Run mixed traffic against a real server, or kill it again and again with --kills. "
        "The exit status is 1 if anything acknowledged was lost or doubled, or if anything grows.",
    )
    add = parser.add_argument
    add(
        "--minutes",
        type=float,
        default=30,
        metavar="N",
        help="how long the traffic lasts (default 30); with less than 18, rows that expire are reported as growth",
    )
    add("--kills", type=int, metavar="N", help="instead, kill processes N times at random moments under traffic")
    add("--store", choices=CATALOGUES, default=CATALOGUES[0], help="where the server keeps its catalogue")
    add("--media", choices=MEDIA, default=MEDIA[0], help="where the server keeps its media")
    add("--clients", type=int, default=3, metavar="N", help="clients that change the store (default 3)")
    add("--folder", type=Path, help="an empty folder for the server's data and log, which is kept")
    add("--seed", type=int, help="repeat the choices of an earlier run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
