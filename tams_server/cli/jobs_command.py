"""tams-server jobs: list, retry and discard background jobs."""

import argparse
import shlex
import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from storage.catalog.clock import SECOND
from storage.catalog.job_control import COUNTED, Backlog, JobControl
from storage.catalog.job_states import Counts
from tams_server.cli.catalog_access import open_catalog
from tams_server.cli.output import print_line, print_lines
from tams_server.settings import Loaded

STATES = ("waiting", "running", "failed")
_COUNT_LABELS = {"events": "events waiting", "objects": "objects to remove"}

DISCARD = """
Give up a job. The effect depends on its kind:

  delivery        The events now waiting for the webhook are dropped. The webhook keeps
                  its status, and later events are delivered.
  flow-deletion   The delete request gets the status "error". Segments that have been
                  deleted stay deleted; the others are kept.
  copy            Any partial copy is removed. A copy that is being written cannot be
                  discarded.
  removal         The bytes stay on the backend and their object ids can be reused;
                  'tams-server check' reports them. Use this for a backend that no
                  longer exists.
  segment-events  No more events are sent about the segments of the restored flow.

A worker that is running the job stops at its next step.
"""
RETRY = """
Retry a job immediately, including one that has failed permanently, and reset its count
of failures. A job that is running is not interrupted.
"""


def list_jobs(loaded: Loaded, options: argparse.Namespace) -> int:
    """Print the number of jobs by kind and state, then each job. Secrets are never shown."""
    with open_catalog(loaded.settings) as catalog:
        backlog = catalog.job_control.backlog()
        jobs = catalog.job_control.list_jobs(options.state)
    now = time.time()
    if options.json:
        print_lines(orjson.dumps(_document(backlog, jobs, now), option=orjson.OPT_INDENT_2).decode())
    else:
        for line in _text(backlog, jobs, now):
            print_line(line)
    return 0


def retry(loaded: Loaded, options: argparse.Namespace) -> int:
    """Retry one job, or every job that has failed permanently. Raises NotFound."""
    with open_catalog(loaded.settings) as catalog:
        return _retry(catalog.job_control, options)


def discard(loaded: Loaded, options: argparse.Namespace) -> int:
    """Give up one job and print the consequence. Raises NotFound, or Invalid for a copy that is being written."""
    with open_catalog(loaded.settings) as catalog:
        consequence = catalog.job_control.discard(options.kind, options.key)
        print_line(f"discarded {options.kind} {options.key}: {consequence}")
    return 0


def _retry(job_control: JobControl, options: argparse.Namespace) -> int:
    if options.failed == (options.kind is not None) or (options.kind is None) != (options.key is None):
        raise ValueError("specify either KIND and KEY of one job, or --failed")
    if options.failed:
        print_line(f"retrying {job_control.retry_failed()} jobs")
    else:
        job_control.retry(options.kind, options.key)
        print_line(f"retrying {options.kind} {options.key}")
    return 0


def _document(backlog: Backlog, jobs: list[dict[str, Any]], now: float) -> dict[str, Any]:
    counts = {
        kind: {
            "waiting": of_kind.waiting,
            "running": of_kind.running,
            "failed": of_kind.failed,
            "oldest_age_seconds": _age_s(of_kind.oldest, now),
        }
        for kind, of_kind in backlog.jobs.items()
    }
    events = {"waiting": backlog.events, "oldest_age_seconds": _age_s(backlog.oldest_event, now)}
    return {"counts": counts, "events_not_queued": events, "jobs": jobs}


def _age_s(moment: int | None, now: float) -> float | None:
    return None if moment is None else round(max(0.0, now - moment / SECOND), 3)


def _text(backlog: Backlog, jobs: list[dict[str, Any]], now: float) -> Iterator[str]:
    yield f"{'kind':16}{'waiting':>9}{'running':>9}{'failed':>9}   oldest"
    for kind, counts in backlog.jobs.items():
        yield _counts_line(kind, counts, now)
    if backlog.events:
        yield f"{_number(backlog.events)} events not yet queued for webhooks"
    for job in jobs:
        yield ""
        yield f"{job['kind']} {shlex.quote(job['key'])}"
        yield from (f"    {line}" for line in _job_lines(job))


def _counts_line(kind: str, counts: Counts, now: float) -> str:
    age = _age_s(counts.oldest, now)
    shown = "" if age is None else _duration(age)
    return f"{kind:16}{counts.waiting:9}{counts.running:9}{counts.failed:9}   {shown}".rstrip()


def _job_lines(job: Mapping[str, Any]) -> Iterator[str]:
    worker = f" on {job['worker']}" if job["state"] == "running" else ""
    due = f", due {job['due']}" if job["state"] == "waiting" else ""
    yield f"{job['state']}{worker}, created {job['created']}{due}"
    for name, value in job["about"].items():
        yield (
            f"{_number(value)} {_COUNT_LABELS[name]}" if name in _COUNT_LABELS else f"{name.replace('_', ' ')}: {value}"
        )
    if job["error"] is not None:
        yield f"failed {job['attempts']} times: {job['error']}"


def _number(count: int) -> str:
    return f"{count:,}" + (" or more" if count >= COUNTED else "")


def _duration(seconds: float) -> str:
    """Format a duration in the largest unit that gives at least 2."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
