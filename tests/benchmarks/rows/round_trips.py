"""P13: the requests to a VAST cluster, counted by the emulator, and the rows that it returns."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.engine_seeding import fill_through_engine
from tests.benchmarks.flow_seeding import Filled
from tests.benchmarks.frame import ROOT, Options, Outcome, Sample, Skipped, Target, plain
from tests.benchmarks.probe import Probe
from tests.vast_emulator import Emulator

_SEGMENTS = 5000
_PAGE = 300
_PAGE_REQUESTS, _APPEND_REQUESTS = 4, 8
_ROWS = 1.5
_OTHER_ROWS = 2
"""The flow, before and after."""


def measure_round_trips(options: Options) -> Iterator[Outcome]:
    """P13: of a page of segments, of which the rows count too, and of an append."""
    if options.checkout != ROOT:
        yield Skipped("P13", "pages and appends", "the catalogue is filled by the code of this checkout; omit --server")
        return
    emulator = Emulator("commit")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="tams-bench-") as folder,
            Probe(options.checkout, Path(folder), {"TAMS_DATABASE_URL": emulator.url("bench")}) as probe,
        ):
            flow = Filled(1, _SEGMENTS)
            flow.create(probe)
            options.say(f"vast: {_SEGMENTS:,} segments")
            fill_through_engine(probe.database, flow)
            path = f"/flows/{flow.id}/segments"
            first = f"{path}?limit={_PAGE}"
            key = probe.perform(first).headers["x-paging-nextkey"]
            pages = {
                "first page": first,
                "next page by key": f"{first}&page={key}",
                "reversed": f"{first}&reverse_order=true",
            }
            for case, target in pages.items():
                requests, rows = _counted(emulator, probe, "GET", target)
                yield plain("P13", f"{case}, requests", "", Sample((requests,)), Target(_PAGE_REQUESTS))
                # Segments, and as many instances.
                read = (rows - _OTHER_ROWS) / 2 / _PAGE
                yield plain("P13", f"{case}, rows read for each of the page", "", Sample((read,)), Target(_ROWS))
            allocated = probe.send("POST", f"/flows/{flow.id}/storage", {"limit": 2})["media_objects"]
            for n, each in enumerate(allocated, start=_SEGMENTS):
                segment = {"object_id": each["object_id"], "timerange": f"[{2 * n}:0_{2 * n + 2}:0)"}
                requests, _ = _counted(emulator, probe, "POST", path, segment)
            yield plain("P13", "append, requests", "", Sample((requests,)), Target(_APPEND_REQUESTS))
    finally:
        emulator.close()


def _counted(emulator: Emulator, probe: Probe, method: str, path: str, body: Any = None) -> tuple[float, float]:
    """The requests, and the rows returned, for one request of a client whose token is known."""
    probe.perform("/service")
    _settle(emulator)
    emulator.counters.clear()
    probe.send(method, path, body)
    _settle(emulator)
    requests = sum(count for kind, count in emulator.counters.items() if not kind.startswith("rows"))
    return float(requests), float(emulator.counters["rows returned"])


def _settle(emulator: Emulator) -> None:
    """Wait until every transaction has ended, even if the server did not wait for it."""
    counters = emulator.counters
    deadline = time.monotonic() + 10
    while counters["begin"] > counters["commit"] + counters["rollback"] and time.monotonic() < deadline:
        time.sleep(0.005)
