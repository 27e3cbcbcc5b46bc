"""tams-server check: whether the catalogue and the storage backends agree."""

import argparse
import sys
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

import orjson

from storage.catalog.check.findings import Finding
from tams_server.cli.jobs_command import open_catalog
from tams_server.settings import Loaded

CHECK = """
Compare the catalogue with the bytes on every storage backend, and with itself, while the
server may go on working. Each finding is looked at again before it is told:

  missing-bytes      an object in use whose bytes are not where the catalogue says, or are
                     damaged
  unknown-bytes      bytes that the catalogue does not know; --repair has them removed
  missing-object     something names an object that is not there
  wrong-count        the recorded number of segments that name an object is not that of
                     the segments; --repair sets it right
  wrong-expiry       an object in use that is to be collected, or one that nothing names
                     and that never is; --repair sets that right
  wrong-content      a flow that has segments where its row says that it has none, so that
                     no request finds them; --repair sets the row right
  unchecked-backend  a backend that is out of reach, or not configured

What was made in the last TAMS_MIN_OBJECT_TIMEOUT and TAMS_OBJECT_GRACE seconds is left
alone, since it may still be on its way. Segments and instances are never removed. A folder
or bucket and prefix must belong to one catalogue only, since --repair removes what this one
does not know. Exit status: 0 nothing is wrong, or all was repaired; 1 there are findings
left; 2 wrong use.
"""
_TELL_EVERY_S = 0.2


def check(loaded: Loaded, options: argparse.Namespace) -> int:
    """Print findings as they are made, then a summary; the exit status."""
    progress = _Progress()
    kinds: Counter[str] = Counter()
    repaired = 0
    with open_catalog(loaded.settings) as catalog:
        found = catalog.consistency.check(repair=options.repair, storage_id=options.backend, progress=progress.tell)
        for finding in found:
            progress.clear()
            print(_json(finding) if options.json else _line(finding), flush=True)
            kinds[finding.kind] += 1
            repaired += finding.repaired
    progress.clear()
    left = kinds.total() - repaired
    if options.json:
        summary = {"read": progress.read, "findings": dict(kinds), "repaired": repaired, "left": left}
        print(orjson.dumps({"summary": summary}).decode())
    else:
        print(f"read {progress.summary()}: {_told(kinds, repaired)}")
    return 1 if left else 0


def _json(finding: Finding) -> str:
    members: dict[str, Any] = {name: value for name, value in asdict(finding).items() if value is not None}
    return orjson.dumps(members).decode()


def _line(finding: Finding) -> str:
    named = (("object", finding.object_id), ("backend", finding.storage_id), ("flow", finding.flow_id))
    what = ", ".join(f"{name} {value}" for name, value in named if value is not None)
    return f"{finding.kind:18} {what}: {finding.detail}{' (repaired)' if finding.repaired else ''}"


def _told(kinds: Counter[str], repaired: int) -> str:
    if not kinds:
        return "nothing is wrong"
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{found}; {repaired} repaired, {kinds.total() - repaired} left"


class _Progress:
    """Shown in one line of standard error, where that is a terminal. read: items by what they are."""

    def __init__(self) -> None:
        self.read: dict[str, int] = {}
        self._terminal = sys.stderr.isatty()
        self._shown_at = 0.0

    def tell(self, what: str, count: int) -> None:
        self.read[what] = count
        if self._terminal and time.monotonic() - self._shown_at >= _TELL_EVERY_S:
            self._shown_at = time.monotonic()
            print(f"\r\x1b[K{count:,} {what}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._terminal and self._shown_at:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def summary(self) -> str:
        return ", ".join(f"{count:,} {what}" for what, count in self.read.items()) or "nothing"
