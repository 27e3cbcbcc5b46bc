"""P5: the first page of flows against a bare ASGI server, bare Flask, and the Prism mock of the published document."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import yaml

from tests.benchmarks import listing_seeding
from tests.benchmarks.baselines.prism import PrismMissing, prism
from tests.benchmarks.frame import Options, Outcome, Sample, Skipped, Target, ratio
from tests.benchmarks.seeding import seeding
from tests.benchmarks.served import Served, baseline_server, own_server
from tests.benchmarks.slowdown import compare_loads, require_same, slowdown

_FLOWS = 2000
_TARGET = "/flows?limit=20"
_REQUESTS = 400
_OF_BARE = 3.0
_OF_FLASK = 1.5
_OF_PRISM = 2.0


def measure_flows(options: Options) -> Iterator[Outcome]:
    """P5: in relation to each baseline, over four connections."""
    with (
        tempfile.TemporaryDirectory(prefix="tams-bench-") as folder,
        own_server(options.checkout, Path(folder)) as server,
    ):
        listing_seeding.create(server)
        with seeding(server.database) as seeder:
            listing_seeding.fill(seeder, _FLOWS)
        with baseline_server("bare_asgi", server.file) as bare:
            require_same(server, bare, _TARGET)
            limit = options.target(_OF_BARE, 1.5)
            yield from slowdown("P5", "20 flows, bare ASGI", server, bare, [_TARGET], _REQUESTS, limit, options)
        with baseline_server("bare_flask", server.file) as flask:
            require_same(server, flask, _TARGET)
            yield from _faster("bare Flask", server, flask, _OF_FLASK, options)
        try:
            with prism(_document(server), options.tools, Path(folder), options.say) as mock:
                assert len(mock.get(_TARGET)) > 0.9 * len(server.get(_TARGET)), "Prism returns less"
                yield from _faster("Prism", server, mock, _OF_PRISM, options)
        except PrismMissing as missing:
            yield Skipped("P5", "20 flows, Prism", str(missing))


def _faster(name: str, server: Served, other: Served, limit: float, options: Options) -> Iterator[Outcome]:
    loads = compare_loads({"server": server, "other": other}, [_TARGET], _REQUESTS, options)
    rates = {key: Sample(tuple(each.rate for each in found)) for key, found in loads.items()}
    target = Target(limit, at_least=True)
    yield ratio("P5", f"20 flows, {name}, rate", "/s", rates["server"], rates["other"], target)


def _document(server: Served) -> str:
    """The served document, whose example of `GET /flows` is what the server returns."""
    document = httpx.get(f"http://127.0.0.1:{server.port}/openapi.json", timeout=30).json()
    media = document["paths"]["/flows"]["get"]["responses"]["200"]["content"]["application/json"]
    media.pop("examples", None)
    media["example"] = json.loads(server.get(_TARGET))
    return yaml.safe_dump(document)
