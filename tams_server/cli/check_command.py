"""tams-server check: compare the catalogue with the contents of the storage backends."""

import argparse
import sys
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

import orjson

from storage.catalog.check.findings import Finding
from tams_server.cli.catalog_access import open_catalog
from tams_server.cli.output import print_line
from tams_server.settings import Loaded

CHECK = """
Have the database check itself, as far as it can (SQLite: integrity_check; PostgreSQL: reads
of everything, and amcheck if that extension is installed), check the catalogue for
consistency, and compare it with the bytes on every storage backend.
The server may keep running: each finding is confirmed by a second look before it is
reported.

  damaged-database   the database finds what it has stored damaged: restore a backup;
                     nothing else is checked
  missing-bytes      the bytes of an object in use are missing or damaged
  unknown-bytes      a backend has bytes that are not in the catalogue; --repair removes
                     them
  missing-object     a segment or an init reference names an object that does not exist
  wrong-count        the recorded number of segments that reference an object is wrong;
                     --repair corrects it
  wrong-expiry       an object in use is due for garbage collection, or an unreferenced
                     object is not; --repair corrects it
  wrong-content      the timerange recorded for a flow does not fit its segments, so requests
                     do not find them, or not the flow; --repair corrects the record
  wrong-times        a segment overlaps the one before it, or ends before it begins
  left-numbers       the number of a segment in live playlists is kept for a flow that does
                     not exist; --repair deletes it
  wrong-usage        the bytes recorded for a principal are not those that its instances are
                     charged; --repair corrects them
  uncharged-bytes    there is a quota of stored bytes, but objects of a principal are not
                     counted in it; --repair counts them
  unchecked-backend  a backend is unavailable or not configured

Objects and bytes created within the last TAMS_MIN_OBJECT_TIMEOUT plus TAMS_OBJECT_GRACE
seconds are skipped: an upload may still be in progress. Segments and instances are never
removed.

--repair removes bytes that are not in this catalogue, so no two catalogues may share a
folder, or a bucket and prefix.

Exit status: 0 no findings, or all repaired; 1 findings remain; 2 invalid options or settings.
"""
_PROGRESS_INTERVAL_S = 0.2


def check(loaded: Loaded, options: argparse.Namespace) -> int:
    """Print each finding as it is made, then a summary. Return 1 if findings remain unrepaired, otherwise 0."""
    progress = _Progress()
    kinds: Counter[str] = Counter()
    repaired = 0
    with open_catalog(loaded.settings) as catalog:
        found = catalog.consistency.check(repair=options.repair, storage_id=options.backend, progress=progress.show)
        for finding in found:
            progress.clear()
            print_line(_json(finding) if options.json else _line(finding))
            kinds[finding.kind] += 1
            repaired += finding.repaired
    progress.clear()
    left = kinds.total() - repaired
    if options.json:
        summary = {"read": progress.read, "findings": dict(kinds), "repaired": repaired, "left": left}
        print_line(orjson.dumps({"summary": summary}).decode())
    else:
        print_line(f"checked {progress.summary()}: {_summary(kinds, repaired)}")
    return 1 if left else 0


def _json(finding: Finding) -> str:
    members: dict[str, Any] = {name: value for name, value in asdict(finding).items() if value is not None}
    return orjson.dumps(members).decode()


def _line(finding: Finding) -> str:
    named = (("object", finding.object_id), ("backend", finding.storage_id), ("flow", finding.flow_id))
    what = ", ".join(f"{name} {value}" for name, value in named if value is not None)
    return f"{finding.kind:18} {what}: {finding.detail}{' (repaired)' if finding.repaired else ''}"


def _summary(kinds: Counter[str], repaired: int) -> str:
    if not kinds:
        return "no findings"
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{found}; {repaired} repaired, {kinds.total() - repaired} remaining"


class _Progress:
    """A progress line on standard error, if that is a terminal. read: number of items read so far, by kind of item."""

    def __init__(self) -> None:
        self.read: dict[str, int] = {}
        self._terminal = sys.stderr.isatty()
        self._shown_at = 0.0

    def show(self, what: str, count: int) -> None:
        self.read[what] = count
        if self._terminal and time.monotonic() - self._shown_at >= _PROGRESS_INTERVAL_S:
            self._shown_at = time.monotonic()
            print(f"\r\x1b[K{count:,} {what}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._terminal and self._shown_at:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def summary(self) -> str:
        return ", ".join(f"{count:,} {what}" for what, count in self.read.items()) or "nothing"
