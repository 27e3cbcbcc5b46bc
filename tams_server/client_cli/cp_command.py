"""tams cp: copy flows and sources from one server to another."""

import argparse
import asyncio
import signal
from typing import TYPE_CHECKING

from tams_server.client import RetryPolicy
from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import FAILED, INTERRUPTED, OK, WRONG_USE, CommandError
from tams_server.client_cli.kinds import check_backend, find
from tams_server.client_cli.parsers import Subparsers, add_command, positive, timerange_option
from tams_server.client_cli.progress import Progress, counted, size
from tams_server.client_cli.stop_signal import end_at_once

if TYPE_CHECKING:
    from tams_server.replication.report import Report
    from tams_server.replication.run import Plan

CP = """
Copy flows, or all flows of sources, from one server to another, under the same ids: metadata,
members of collections, segments and media. Both may be any TAMS 8.x server. What TO has
already stays as it is, so that a copy that was interrupted continues where it stopped, and a
repeated one copies what is new. Bytes are compared by their checksums.

  tams cp FLOW --to cloud
      from the context in use to the context 'cloud'
  tams cp SOURCE --from studio --to cloud --timerange "[0:0_3600:0)"
      only segments that overlap the hour
  tams cp FLOW --to cloud --verify
      reads every object at TO again
  tams cp SOURCE --to cloud --follow --rate 20M
      keeps copying what is added or changed, by at most 20 MB a second, until Ctrl-C
  tams cp FLOW --to cloud --dry-run

Messages call the two servers FROM and TO. 'tams-server replicate' can also delete at TO what FROM
no longer has, and receive events.
"""
_OUTAGE_S = 120.0
"""How long a server may be away during a copy."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "cp", run, "copy flows and sources to another server", CP)
    parser.add_argument("ids", nargs="+", metavar="ID", help="id of a flow or source")
    parser.add_argument("--from", dest="origin", default="", metavar="CONTEXT", help="copy from this context")
    parser.add_argument("--to", dest="target", required=True, metavar="CONTEXT", help="copy to this context")
    parser.add_argument("--timerange", default="_", metavar="RANGE", help="only segments that overlap it")
    parser.add_argument("--follow", action="store_true", help="keep copying what is added, until interrupted")
    parser.add_argument("--rate", type=_rate, metavar="BYTES", help="bytes a second at most, such as 500k or 20M")
    parser.add_argument("--verify", action="store_true", help="read every object at TO again, and compare")
    parser.add_argument("--parallel", type=positive, default=4, metavar="N", help="objects at a time (default: 4)")
    parser.add_argument("--storage-backend", metavar="ID", help="storage backend at TO (default: TO's choice)")
    parser.add_argument("--dry-run", action="store_true", help="change nothing, and say what would be copied")


def run(options: argparse.Namespace, context: Context) -> int:
    """Copy, and return 0 only if TO has everything then."""
    from tams_server.replication.report import Report

    if options.dry_run and options.follow:
        raise CommandError("--dry-run and --follow exclude each other", WRONG_USE)
    plan = _plan(options, context)
    context.note(f"FROM {plan.origin.url} TO {plan.target.url}{', until Ctrl-C' if options.follow else ''}")
    with context.progress() as progress:
        report = Report(tell_problem=context.output.note, say=context.note)
        if not options.dry_run:
            report.on_progress = _Shown(progress).show
        is_complete = asyncio.run(_run(plan, report, context))
    context.note(_summary(report, dry_run=options.dry_run))
    if is_complete is None:
        context.output.note("tams: interrupted: the same command continues")
        return INTERRUPTED
    return OK if is_complete else FAILED


def _plan(options: argparse.Namespace, context: Context) -> "Plan":
    from tams_server.replication.options import Options
    from tams_server.replication.run import Plan, Server
    from tams_server.replication.state import default_path

    timerange = timerange_option(options.timerange)
    origin, target = context.server(options.origin), context.server(options.target)
    if origin.url == target.url:
        raise CommandError(f"FROM and TO are the same server, {origin.url}", WRONG_USE)
    ids: dict[str, list[str]] = {"flow": [], "source": []}
    with context.client(options.origin) as client:
        for each in dict.fromkeys(options.ids):
            ids[find(client, each, ("flow", "source")).kind].append(each)
    if options.storage_backend:
        with context.client(options.target) as client:
            check_backend(client, options.storage_backend)
    what = Options(
        tuple(ids["flow"]),
        tuple(ids["source"]),
        timerange,
        options.parallel,
        1.0 if options.verify else 0.0,
        follow=options.follow,
        dry_run=options.dry_run,
    )
    servers = Server(origin.url, origin.credentials), Server(target.url, target.credentials)
    retry = context.retrying(RetryPolicy(for_s=_OUTAGE_S))
    return Plan(*servers, what, default_path(), rate=options.rate, storage_id=options.storage_backend, retry=retry)


def _rate(text: str) -> float:
    from tams_server.replication.rate import parse_rate

    try:
        return parse_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


async def _run(plan: "Plan", report: "Report", context: Context) -> bool | None:
    """Whether TO has everything; None if a signal ended a copy that does not follow."""
    from tams_server.replication.run import replicate

    stop = asyncio.Event()
    running = asyncio.create_task(replicate(plan, report, stop))
    loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def end() -> None:
        for number in signals:
            loop.add_signal_handler(number, end_at_once)  # what waits for a server does not end by the first
        if plan.options.follow:
            context.note("ending: Ctrl-C again ends at once")
            stop.set()
        else:
            running.cancel()

    for number in signals:
        loop.add_signal_handler(number, end)
    try:
        return await running
    except asyncio.CancelledError:
        return None


class _Shown:
    """The progress of a copy. Its length is not known: segments are compared as they are listed."""

    def __init__(self, progress: Progress) -> None:
        self._task = progress.add("copying")

    def show(self, report: "Report") -> None:
        self._task.what = f"copied {counted(report.segments_copied, 'segment')}"
        self._task.set(report.bytes_copied)


def _summary(report: "Report", *, dry_run: bool) -> str:
    problems = counted(report.problems, "problem")
    if dry_run:
        return f"nothing was changed; there already: {counted(report.segments_there, 'segment')}; {problems}"
    return (
        f"{counted(report.segments_copied, 'segment')} copied, {report.segments_there:,} were there;"
        f" {counted(report.objects_copied, 'object')} copied ({size(report.bytes_copied)}; TO confirmed the checksums"
        f" of {report.objects_proven:,}, {report.objects_reread:,} were read again); {problems}"
    )
