"""tams-server jobs: what background work there is, and what can be done about it."""

import argparse
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson

from storage.catalog import Catalog
from storage.catalog.environment import SECOND
from storage.catalog.job_control import COUNTED, Backlog, JobControl
from storage.catalog.jobs import Counts
from tams_server.settings import Loaded, Settings

STATES = ("waiting", "running", "failed")
_WORDS = {"events": "events wait", "objects": "objects to remove"}

DISCARD = """
Give a job up. What it was to do stays undone:

  delivery        the events that wait for the webhook now are not sent; the webhook
                  stays as it is, and later events are sent
  flow-deletion   its delete request shows the status error; what was deleted stays
                  deleted, and the segments that were not deleted yet stay
  copy            what there may be of the copy is removed; one that is being written
                  cannot be discarded
  removal         the bytes stay on that backend, and their ids can be used again;
                  'tams-server check' finds them. Meant for a backend that is gone.

A worker that has the job is told so at its next step.
"""
RETRY = """
Try a job again at once, even one that has failed for good, as if it had never failed.
A job that a worker is at is left to it.
"""


def list_jobs(loaded: Loaded, options: argparse.Namespace) -> int:
    """Print counts, then the jobs, without anything secret."""
    with open_catalog(loaded.settings) as catalog:
        backlog = catalog.job_control.backlog()
        jobs = catalog.job_control.listed(options.state)
    now = time.time()
    if options.json:
        print(orjson.dumps(_document(backlog, jobs, now), option=orjson.OPT_INDENT_2).decode())
    else:
        print(*_text(backlog, jobs, now), sep="\n")
    return 0


def retry(loaded: Loaded, options: argparse.Namespace) -> int:
    """Have one job, or all that have failed for good, tried again."""
    with open_catalog(loaded.settings) as catalog:
        return _retry(catalog.job_control, options)


def discard(loaded: Loaded, options: argparse.Namespace) -> int:
    with open_catalog(loaded.settings) as catalog:
        print(f"{options.kind} {options.key} is discarded: {catalog.job_control.discard(options.kind, options.key)}")
    return 0


def _retry(job_control: JobControl, options: argparse.Namespace) -> int:
    if options.failed == (options.kind is not None) or (options.kind is None) != (options.key is None):
        raise ValueError("name one job by KIND and KEY, or all that have failed by --failed")
    if options.failed:
        print(f"{job_control.retry_failed()} jobs are tried again")
    else:
        job_control.retry(options.kind, options.key)
        print(f"{options.kind} {options.key} is tried again")
    return 0


@contextmanager
def open_catalog(settings: Settings) -> Iterator[Catalog]:
    """The catalogue of these settings, while the block runs. Raises FileNotFoundError where none was ever made."""
    from tams_server.wiring import open_parts, prepare_tables

    if settings.database_url is None and not (settings.data_dir / "catalog.db").exists():
        raise FileNotFoundError(f"there is no catalogue in {settings.data_dir.resolve()} (TAMS_DATA_DIR or --data-dir)")
    prepare_tables(settings)
    parts = open_parts(settings)
    try:
        yield parts.catalog
    finally:
        parts.close()


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
        yield _line(kind, counts, now)
    if backlog.events:
        yield f"{_number(backlog.events)} events wait to be queued for webhooks"
    for job in jobs:
        yield ""
        yield f"{job['kind']} {shlex.quote(job['key'])}"
        yield from (f"    {line}" for line in _lines(job))


def _line(kind: str, counts: Counts, now: float) -> str:
    age = _age_s(counts.oldest, now)
    shown = "" if age is None else _duration(age)
    return f"{kind:16}{counts.waiting:9}{counts.running:9}{counts.failed:9}   {shown}".rstrip()


def _lines(job: Mapping[str, Any]) -> Iterator[str]:
    worker = f" at {job['worker']}" if job["state"] == "running" else ""
    due = f", due {job['due']}" if job["state"] == "waiting" else ""
    yield f"{job['state']}{worker} since {job['created']}{due}"
    for name, value in job["about"].items():
        yield f"{_number(value)} {_WORDS[name]}" if name in _WORDS else f"{name.replace('_', ' ')}: {value}"
    if job["error"] is not None:
        yield f"failed {job['attempts']} times: {job['error']}"


def _number(count: int) -> str:
    return f"{count:,}" + (" or more" if count >= COUNTED else "")


def _duration(seconds: float) -> str:
    """In the largest unit of which there is more than one."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
