"""Command line of the demo."""

import argparse
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import httpx

from . import sound
from .client import Refused, Tams
from .commands import commands
from .report import Report
from .segmenting import UnsuitableClip
from .server import DemoServer, ServerFailed
from .story import WANTED, make_clip, tell
from .times import SECOND, BadTime

_SHORTEST = -(-WANTED.end // SECOND)
_LONGEST = sound.MAX_STEPS * sound.STEP_SECONDS
_FAILURES = (Refused, httpx.HTTPError, ServerFailed, UnsuitableClip, BadTime)


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo. Returns the exit status: 0 when every check holds, else 1."""
    options = _options(arguments)
    try:
        with ExitStack() as cleanup:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="tams-demo-")))
            return _run(options, folder, cleanup)
    except _FAILURES as failure:
        print(f"\nThe demo failed: {failure or type(failure).__name__}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace, folder: Path, cleanup: ExitStack) -> int:
    report = Report(say=_say)
    if options.url:
        with Tams(options.url, options.token) as service:
            _say(f"{options.url} is TAMS {service.get('/service').get('api_version')}")
    clip = make_clip(folder / "clip.mp4", options.seconds, report)
    server = None
    if not options.url:
        with report.step("server started") as step:
            server = cleanup.enter_context(DemoServer(folder))
            step.count = server.base_url
    base_url, token = (server.base_url, server.token) if server else (options.url, options.token)
    try:
        with Tams(base_url, token) as service:
            stored = tell(service, clip, report)
    except _FAILURES:
        if server:
            _say(f"\nThe last lines of the server's log:\n{server.last_words()}")
        raise
    _say(f"\n{report.tables()}\n")
    _say("To look at it:" if options.keep or options.url else "To look at it while the server runs (--keep):")
    _say("\n".join(f"  {line}" for line in commands(base_url, server.token if server else None, stored)))
    _say(f"\n{'All is as it was sent.' if report.good else 'Not everything is as it was sent: see FAILED above.'}")
    if options.keep:
        _wait(base_url)
    return 0 if report.good else 1


def _wait(base_url: str) -> None:
    _say(f"\nThe server stays at {base_url} until Ctrl-C; then it stops, and its data are deleted.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        _say("\nStopping the server.")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.interop.demo",
        description=f"Stores a real clip in a TAMS server, asks for {WANTED} of it, and checks that exactly those "
        "frames and samples come back. Starts a server of its own unless told to use another.",
    )
    parser.add_argument("--url", help="base URL of a TAMS API that is already running; what is stored there stays")
    parser.add_argument(
        "--token",
        default=os.environ.get("TAMS_TOKEN"),
        help="bearer token for --url (default: the environment variable TAMS_TOKEN)",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=30,
        help=f"length of the clip, {_SHORTEST} to {_LONGEST} (default: %(default)s)",
    )
    parser.add_argument("--keep", action="store_true", help="leave the demo's own server running until Ctrl-C")
    options = parser.parse_args(arguments)
    if options.keep and options.url:
        parser.error("--keep is for the demo's own server; the one at --url is left running anyway")
    return options


def _seconds(text: str) -> int:
    if not text.isdecimal() or not _SHORTEST <= int(text) <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {_SHORTEST} to {_LONGEST}")
    return int(text)


def _finish(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _finish)
    sys.exit(main())
