"""tams-server replicate: keep flows the same in another TAMS server."""

import argparse
import asyncio
import signal
import time
from typing import TYPE_CHECKING

from tams_server.cli.output import print_line
from tams_server.cli.progress import Progress
from tams_server.cli.replicate_options import plan_of
from tams_server.settings import Loaded

if TYPE_CHECKING:
    from tams_server.replication.report import Report
    from tams_server.replication.run import Plan

_INTERRUPTED = 130


def replicate(loaded: Loaded, options: argparse.Namespace) -> int:
    """Run a replication. Return 0 if TO has everything, 1 if not, 130 if a run that does not follow was interrupted."""
    from tams_server.client import ClientError
    from tams_server.replication.report import Report

    plan = plan_of(options)
    progress, began = Progress(), time.monotonic()

    def line(text: str) -> None:
        progress.clear()
        print_line(text)

    def problem(text: str) -> None:
        progress.clear()
        print_line(text, error=True)

    def show(report: Report) -> None:
        progress.show(_state(report, began), report.segments_copied)

    report = Report(tell_problem=problem, say=line, on_progress=show)
    try:
        is_complete = asyncio.run(_run(plan, report))
    except ClientError as error:
        problem(f"tams-server: {error}")
        return 1
    finally:
        progress.clear()
    line(_summary(report, options))
    if is_complete is None:
        problem("interrupted: repeat the command to continue")
        return _INTERRUPTED
    return 0 if is_complete else 1


async def _run(plan: "Plan", report: "Report") -> bool | None:
    """Run the plan until it is done, or a signal stops it. Return whether TO has everything, None if not done."""
    from tams_server.replication.run import replicate as run

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    running, stopped = asyncio.create_task(run(plan, report, stop)), asyncio.create_task(stop.wait())
    await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
    if not plan.options.follow and not running.done():
        running.cancel()  # one that follows ends by itself
    stopped.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return None if running.cancelled() else running.result()


def _state(report: "Report", began: float) -> str:
    rate = report.bytes_copied / max(time.monotonic() - began, 0.001)
    return f"segments copied, {_bytes(report.bytes_copied)}, {_bytes(rate)}/s"


def _summary(report: "Report", options: argparse.Namespace) -> str:
    if options.dry_run:
        return f"nothing was changed; {report.segments_there:,} segments are the same, {report.problems:,} problems"
    parts = [
        f"{report.segments_copied:,} segments copied, {report.segments_there:,} were there",
        f"{report.objects_copied:,} objects copied ({_bytes(report.bytes_copied)}; TO confirmed the checksums of"
        f" {report.objects_proven:,}, {report.objects_reread:,} were read again)",
        f"{report.objects_there:,} were there",
    ]
    if report.objects_referenced:
        parts.append(f"{report.objects_referenced:,} by reference")
    if report.segments_deleted:
        parts.append(f"{report.segments_deleted:,} segments deleted")
    elif report.segments_surplus and not options.follow:
        parts.append(f"{report.segments_surplus:,} segments that only TO has")
    parts.append(f"{report.problems:,} problems")
    return "; ".join(parts)


def _bytes(count: float) -> str:
    for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count:.0f} bytes"
