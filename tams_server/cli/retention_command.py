"""tams-server retention: delete what retention tags say is due, or tell what would go."""

import argparse
from dataclasses import asdict

import orjson

from storage.catalog import Catalog
from storage.catalog.retention.retention import Due, Retention
from tams_server.cli.catalog_access import open_catalog
from tams_server.cli.output import print_line
from tams_server.cli.progress import Progress
from tams_server.settings import Loaded

RETENTION = """
Delete the segments and flows whose time has come by the tags of their flow:

  segment_retention_offset   a timestamp such as 3600:0. Added to the end of a segment, it
                             gives the TAI time at which the segment is due
  flow_retention_offset      a timestamp. Added to the last change of a flow or of its
                             segments, it gives the time at which the flow is due
  loop_recorder_duration     seconds such as 900. Segments that end longer than this before
                             the end of the last segment are due

With TAMS_EMPTY_FLOW_RETENTION, also flows that have had neither segments nor a collection for
so long. Read-only flows are left alone. A running server does this by itself, unless
TAMS_RETENTION=false.

Nothing is deleted if the clock is ahead of the time that has passed since a server, or this
command, last ran: it may have been set. --force says that it is right.

Example: tams-server retention --dry-run --within 7d
"""


def retention(loaded: Loaded, options: argparse.Namespace) -> int:
    """Carry out all that is due, or print it, one line a flow. Return 0. Raises ValueError if the clock has jumped."""
    with open_catalog(loaded.settings) as catalog:
        if options.dry_run:
            for due in catalog.retention.due(options.within):
                print_line(orjson.dumps(asdict(due)).decode() if options.json else _line(due))
        else:
            pause_s = loaded.settings.unregistered_object_lifetime
            now = catalog.clock() if options.force else _checked_time(catalog, pause_s)
            segments, flows = _carry_out(catalog.retention, now)
            done = {"segments": segments, "flows": flows}
            print_line(orjson.dumps(done).decode() if options.json else f"deleted {segments} segments, {flows} flows")
    return 0


def _checked_time(catalog: Catalog, pause_s: float) -> int:
    """The time by which things may be due. Raises ValueError if the clock is ahead of the time that has passed."""
    now = catalog.clock_guard(pause_s).time_for_deletions()
    if now is None:
        raise ValueError(
            "nothing was deleted: the clock is ahead of the time that this catalogue has seen pass. Either it was set,"
            " and media would be deleted before their time, or no server has been running. If the clock is right, see"
            " with --dry-run what would go, and repeat the command with --force"
        )
    return now


def _line(due: Due) -> str:
    if due.whole_flow:
        what = f"the flow with {due.segments} segments"
    elif due.segments:
        what = f"{due.segments} segments in {due.timerange}"
    else:
        what = "nothing"
    return f"{due.flow_id} {what}{''.join(f'; ignored: {reason}' for reason in due.ignored)}"


def _carry_out(retention: Retention, now: int) -> tuple[int, int]:
    segments = flows = 0
    progress = Progress()
    is_behind = True
    while is_behind:
        is_behind = False
        for step in retention.one_pass(lambda: now):
            is_behind |= step.is_behind
            segments, flows = segments + step.segments, flows + step.flows
            progress.show("segments deleted", segments)
    progress.clear()
    return segments, flows
