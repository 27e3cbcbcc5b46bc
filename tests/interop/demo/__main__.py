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
from .client import ApiError, Tams
from .commands import commands, tams_commands, timeline_address
from .report import Report
from .segmenting import UnsuitableClip
from .server import DemoServer, ServerStartError
from .steps import REQUESTED, make_clip, run_demo
from .timeline import SECOND, TimeFormatError

_SHORTEST = -(-REQUESTED.end // SECOND)
_LONGEST = sound.MAX_STEPS * sound.STEP_SECONDS
_FAILURES = (ApiError, httpx.HTTPError, ServerStartError, UnsuitableClip, TimeFormatError)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo. Returns the exit status: 0 if every check holds, else 1."""
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
    report = Report(print_line=_print_line)
    if options.url:
        with Tams(options.url, options.token) as service:
            _print_line(f"{options.url} is TAMS {service.get('/service').get('api_version')}")
    clip = make_clip(folder / "clip.mp4", options.seconds, report)
    server = None
    if not options.url:
        with report.step("server started") as step:
            server = cleanup.enter_context(DemoServer(folder))
            step.count = server.base_url
    base_url, token = (server.base_url, server.token) if server else (options.url, options.token)
    try:
        with Tams(base_url, token) as service:
            stored = run_demo(service, clip, report)
    except _FAILURES:
        if server:
            _print_line(f"\nEnd of the server's log:\n{server.log_tail()}")
        raise
    _print_line(f"\n{report.tables()}\n")
    condition = "" if options.keep or options.url else " while the server runs (--keep)"
    _print_line(f"Commands to inspect it{condition}:")
    _print_line("\n".join(f"  {line}" for line in commands(base_url, server.token if server else None, stored)))
    tams = tams_commands(base_url, server.token if server else None, stored, folder / "clip.mp4")
    _print_line(f"\nThe same with the command tams{condition}:")
    _print_line("\n".join(f"  {line}" for line in tams))
    result = "Everything came back as it was sent." if report.passed else "Some checks FAILED, see above."
    _print_line(f"\n{result}")
    _print_line(f"\nThe console{condition}: {base_url}/console")
    _print_line(f"The timeline of the video, as a picture to zoom: {timeline_address(base_url, stored)}")
    if options.keep:
        _wait(base_url)
    return 0 if report.passed else 1


def _wait(base_url: str) -> None:
    _print_line(f"\nThe server keeps running at {base_url}. Ctrl-C stops it and deletes its data.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        _print_line("\nStopping the server.")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.interop.demo",
        description=f"Store a real clip in a TAMS server, request {REQUESTED} of it, and check that exactly those "
        "frames and samples come back. Starts its own server unless --url is given.",
    )
    parser.add_argument("--url", help="base URL of a running TAMS API; the stored data remain there")
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
        parser.error("--keep applies to the demo's own server and cannot be combined with --url")
    return options


def _seconds(text: str) -> int:
    if not text.isdecimal() or not _SHORTEST <= int(text) <= _LONGEST:
        raise argparse.ArgumentTypeError(f"must be an integer from {_SHORTEST} to {_LONGEST}, not {text!r}")
    return int(text)


def _finish(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print_line(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _finish)
    sys.exit(main())
