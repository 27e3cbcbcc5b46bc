"""tams rm: delete flows, segments, sources and webhooks, after showing what goes with them."""

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

from storage.timerange import TimeRange, parse_timerange
from tams_server.client import ApiError, Client, NotFound, calls
from tams_server.client.models import FlowDeleteRequest
from tams_server.client_cli.context import Context
from tams_server.client_cli.deletion_plan import DeletionPlan, plan_deletion
from tams_server.client_cli.errors import FAILED, OK, REFUSED, WRONG_USE, CommandError
from tams_server.client_cli.kinds import Found, find
from tams_server.client_cli.parsers import Subparsers, add_command, timerange_option
from tams_server.client_cli.progress import Progress

RM = """
Delete flows, segments, sources or webhooks. What depends on them is shown first, and you are
asked, unless you say --yes. A deletion that the server carries out in the background is
followed to its end.

  tams rm FLOW                                   a flow and its segments
  tams rm FLOW --members                         also the flows that it collects
  tams rm FLOW --timerange "[0:0_60:0)"          its segments that lie in this minute
  tams rm SOURCE                                 a source, which means all its flows
  tams rm WEBHOOK
  tams ls flows --tag test=yes -o id | xargs tams rm --yes

The members of a collection stay, unless you say --members. It deletes them before the flow that
collects them, and keeps those that another flow collects too.

Objects cannot be deleted: the server removes one some time after the last segment that uses it.
"""
_POLL_S = 0.5
_LONGEST_POLL_S = 5.0


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "rm", run, "delete flows, segments, sources and webhooks", RM)
    parser.add_argument("ids", nargs="+", metavar="ID", help="id of a flow, source or webhook")
    parser.add_argument("--timerange", metavar="RANGE", help="only the segments of a flow that lie in it")
    parser.add_argument(
        "-r",
        "--members",
        "--recursive",
        dest="members",
        action="store_true",
        help="also the flows that a flow collects, and what those collect",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for what the server does in the background")


def run(options: argparse.Namespace, context: Context) -> int:
    """Show what would be deleted, ask, and delete."""
    timerange = None if options.timerange is None else timerange_option(options.timerange)
    with context.client() as client:
        named = [_deletable(client, each, timerange) for each in dict.fromkeys(options.ids)]
        plan = plan_deletion(client, named, timerange, with_members=options.members)
        for flow in plan.flows.values():
            _check_writable(Found("flow", flow))
        for line in plan.consequences(client):
            context.note(line)
        if not options.yes and not _confirmed():
            context.note("nothing was deleted")
            return FAILED
        with context.progress() as progress:
            for done in _delete(client, plan, progress, wait=not options.no_wait):
                context.note(f"deleted {done.name}" if timerange is None else f"deleted segments of {done.name}")
    return OK


def _deletable(client: Client, id_: str, timerange: TimeRange | None) -> Found:
    found = find(client, id_, ("flow", "source", "webhook", "object") if timerange is None else ("flow",))
    if found.kind == "object":
        raise CommandError(
            f"object {id_} goes when no segment uses it any more: tams show {id_} names the flows that do", WRONG_USE
        )
    return found


def _check_writable(found: Found) -> None:
    if found.document.get("read_only"):
        raise CommandError(f"{found.name} is read-only: set read_only to false first")


def _confirmed() -> bool:
    """Ask on the terminal. Raises CommandError if there is none."""
    if not sys.stdin.isatty():
        raise CommandError("there is no terminal to ask on: add --yes", WRONG_USE)
    sys.stderr.write("Delete? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _delete(client: Client, plan: DeletionPlan, progress: Progress, *, wait: bool) -> Iterator[Found]:
    """Delete all of a plan. Returns each flow, source and webhook once it is deleted.

    A source goes with its last flow.
    """
    timerange = plan.timerange
    for flow_id, flow in plan.flows.items():
        call = calls.delete_flow(flow_id) if timerange is None else calls.delete_segments(flow_id, timerange)
        try:
            request = client.send(call)
        except NotFound:
            continue  # gone since it was listed
        if request is not None and wait:
            _follow(client, flow_id, request, progress)
        yield Found("flow", flow)
    for found in plan.named:
        if found.kind == "webhook":
            client.send(calls.delete_webhook(found.document["id"]))
        if found.kind != "flow":
            yield found


def _follow(client: Client, flow_id: str, request: dict[str, Any], progress: Progress) -> None:
    """Wait until a flow delete request is done. Raises CommandError if it fails."""
    task, pause = progress.add(f"deleting from flow {flow_id}", 1, "of the timerange"), _POLL_S
    while True:
        try:
            now = client.send(calls.flow_delete_request(request["id"]))
        except NotFound:
            break  # forgotten, which servers do some time after it was done
        except ApiError as error:
            if error.status != 403:
                raise
            raise CommandError(
                f"the server deletes in the background, and does not let these credentials follow it: {error}",
                REFUSED,
            ) from error
        if now["status"] == "error":
            reason = now["error"]["summary"] if "error" in now else "no reason is given"
            raise CommandError(f"flow {flow_id} is not deleted: {reason}")
        if now["status"] == "done":
            break
        task.set(_share(now))
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_POLL_S)
    task.set(1)
    progress.remove(task)


def _share(request: FlowDeleteRequest) -> float:
    """How much of the timerange is deleted, from 0 to 1; 0 if the server does not say."""
    whole, left = (
        parse_timerange(str(request.get(name, "_"))) for name in ("timerange_to_delete", "timerange_remaining")
    )
    if left.is_empty:
        return 1
    if None in (whole.start, whole.end, left.start, left.end):
        return 0
    length = (whole.end or 0) - (whole.start or 0)
    return 1 - ((left.end or 0) - (left.start or 0)) / length if length else 0
