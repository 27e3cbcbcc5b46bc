"""P4 and P8: pages of segments with presigned URLs, over several connections."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks.flow_seeding import Filled
from tests.benchmarks.frame import Options, Outcome, interleave, ratio
from tests.benchmarks.precedence import MILD, STRONG, precedence
from tests.benchmarks.seeding import seeding
from tests.benchmarks.served import Served, baseline_server, own_server
from tests.benchmarks.slowdown import CONNECTIONS, require_same, slowdown

_PAGES = {30: 2.5, 100: 2.0, 300: 2.0, 1000: 2.0}
"""Segments of a page, and how many times as long as the bare server the server may take."""
_FLOWS = 150
"""So many that not even the smallest pages have been signed lately when a client comes round to them again."""
_ITEMS_A_ROUND = 12_000
_ITEM_COST = 20
"""The cost of a page without segments, in segments."""
_SHORT_PAGE = 100
_SHORT_MARGIN = 1.75
_CONCURRENCY = 1.1
_CONCURRENCY_PAGE = 100
_CONCURRENCY_MARGIN = 1.35
_REQUESTS = 60
_ROUNDS = 9


def measure_page_rates(options: Options) -> Iterator[Outcome]:
    """P4: against a bare ASGI server that reads the same rows and makes the same documents."""
    pages = {_SHORT_PAGE: _PAGES[_SHORT_PAGE]} if options.short else _PAGES
    with _served_flows(max(pages), options) as (server, paths), baseline_server("bare_asgi", server.file) as bare:
        for size, limit in pages.items():
            targets = [f"{path}?presigned=true&limit={size}" for path in paths]
            require_same(server, bare, targets[0])
            requests = max(8, _ITEMS_A_ROUND // (size + _ITEM_COST))
            target = options.target(limit, _SHORT_MARGIN)
            yield from slowdown("P4", f"page of {size}", server, bare, targets, requests, target, options)
            if not options.short:
                yield from slowdown("P4", f"page of {size}, polled", server, bare, targets[:1], requests, None, options)


def measure_concurrency(options: Options) -> Iterator[Outcome]:
    """P8: the CPU time of a page with four clients in relation to that with one client."""
    with _served_flows(_CONCURRENCY_PAGE, options) as (server, paths):
        targets = [f"{path}?presigned=true&limit={_CONCURRENCY_PAGE}" for path in paths]
        server.load(targets, CONNECTIONS, _REQUESTS)
        loads = {n: partial(_cpu_ms, server, targets, n) for n in (1, CONNECTIONS)}
        with precedence(MILD if options.short else STRONG):
            found = interleave(loads, _ROUNDS)
        case = f"CPU of a page of {_CONCURRENCY_PAGE}, 4 clients to 1"
        target = options.target(_CONCURRENCY, _CONCURRENCY_MARGIN)
        yield ratio("P8", case, "ms", found[CONNECTIONS], found[1], target)


def _cpu_ms(server: Served, targets: Sequence[str], clients: int) -> float:
    return server.load(targets, clients, _REQUESTS).cpu_ms


@contextmanager
def _served_flows(size: int, options: Options) -> Iterator[tuple[Served, list[str]]]:
    """A server with many flows of more than `size` segments, and the paths of these."""
    with (
        tempfile.TemporaryDirectory(prefix="tams-bench-") as folder,
        own_server(options.checkout, Path(folder)) as server,
    ):
        flows = [Filled(kind, size + 2) for kind in range(1, _FLOWS + 1)]
        options.say(f"sqlite: {_FLOWS} flows of {size + 2:,} segments")
        for flow in flows:
            flow.create(server)
        with seeding(server.database) as seeder:
            for flow in flows:
                flow.fill(seeder, lambda _: None)
        yield server, [f"/flows/{flow.id}/segments" for flow in flows]
