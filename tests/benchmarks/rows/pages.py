"""P1 and P2: the cost of a page of segments, depending on the length of the flow."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.comparison import compare_sizes
from tests.benchmarks.engine_seeding import fill_through_engine
from tests.benchmarks.flow_seeding import SEGMENT_S, Filled
from tests.benchmarks.frame import Options, Outcome
from tests.benchmarks.probe import Probe
from tests.benchmarks.seeding import seeding
from tests.servers.stores import running

PAGE = 30
_TARGET = 1.2


def measure_pages(options: Options) -> Iterator[Outcome]:
    """P1: by page key and by timerange, in both directions."""
    yield from _measure("P1", _page_cases, options)


def measure_object_filter(options: Options) -> Iterator[Outcome]:
    """P2: with `object_id`, for objects that one segment uses and for one that a hundred use."""
    yield from _measure("P2", _object_cases, options)


def _measure(row: str, cases_of: Callable[[Probe, Filled], dict[str, str]], options: Options) -> Iterator[Outcome]:
    for store in options.stores:
        probe, flows = options.shared.get(("flows", store), partial(filled_flows, store, options))
        cases = {flow.count: cases_of(probe, flow) for flow in flows}
        for name in cases[flows[0].count]:
            requests = {count: (probe, paths[name]) for count, paths in cases.items()}
            yield from compare_sizes(row, name, store, requests, options, _TARGET)


@contextmanager
def filled_flows(store: str, options: Options) -> Iterator[tuple[Probe, list[Filled]]]:
    """An application over a catalogue with a flow of each size."""
    flows = [Filled(kind, count) for kind, count in enumerate(options.sizes, start=1)]
    with (
        running(store, "files") as stores,
        tempfile.TemporaryDirectory(prefix="tams-bench-") as folder,
        Probe(options.checkout, Path(folder), stores.settings(Path(folder))) as probe,
    ):
        for flow in flows:
            flow.create(probe)
            options.say(f"{store}: {flow.count:,} segments")
            if store.startswith("vast"):
                fill_through_engine(probe.database, flow)
            else:
                with seeding(probe.database) as seeder:
                    flow.fill(seeder, lambda n, of=flow.count: _report(options, n, of))  # type: ignore[misc]
        yield probe, flows


def _report(options: Options, n: int, of: int) -> None:
    if n % 1_000_000 == 0 and n < of:
        options.say(f"  {n:,} of {of:,}")


def _page_cases(probe: Probe, flow: Filled) -> dict[str, str]:
    """Paths by name of the case. Each returns a full page."""
    count, middle = flow.count, flow.count // 2
    later = f"timerange={_timerange(middle, None)}"
    paths = {
        "first page": "",
        "middle page by key": _key(probe, flow, middle),
        "last page by key": _key(probe, flow, count - PAGE),
        "first page reversed": "reverse_order=true",
        "middle page by key, reversed": f"reverse_order=true&{_key(probe, flow, middle, reverse=True)}",
        "last page by key, reversed": f"reverse_order=true&{_key(probe, flow, PAGE, reverse=True)}",
        "timerange in the middle": f"timerange={_timerange(middle, middle + PAGE)}",
        "timerange at the end": f"timerange={_timerange(count - PAGE, None)}",
        "timerange in the middle, reversed": f"reverse_order=true&timerange={_timerange(middle, middle + PAGE)}",
        "key within a timerange": f"{later}&{_key(probe, flow, count - PAGE)}",
    }
    return {name: _checked(probe, flow, f"{query}&limit={PAGE}".lstrip("&"), PAGE) for name, query in paths.items()}


def _object_cases(probe: Probe, flow: Filled) -> dict[str, str]:
    """Paths by name of the case, as those of `_page_cases`; an object that one segment uses gives a page of one."""
    count = flow.count
    middle = count // 2 + 1
    places = {"first": 1, "middle": middle, "last": count - 1}
    paths = {f"object of the {place} segment": (f"object_id={flow.object_id(n)}", 1) for place, n in places.items()}
    paths["object of the last segment, reversed"] = (f"object_id={flow.object_id(count - 1)}&reverse_order=true", 1)
    shared = f"object_id={flow.shared_id}"
    uses = -(-count // flow.step)
    for place, n in {"middle": uses // 2, "last": uses - PAGE}.items():
        key = _key(probe, flow, n * flow.step, shared)
        paths[f"{place} page of a reused object by key"] = (f"{shared}&{key}", PAGE)
    paths["first page of a reused object"] = (shared, PAGE)
    return {name: _checked(probe, flow, f"{query}&limit={PAGE}", expected) for name, (query, expected) in paths.items()}


def _key(probe: Probe, flow: Filled, n: int, filters: str = "", *, reverse: bool = False) -> str:
    """The parameter for the page that begins with segment n, or ends before it if reversed: as `Link` would have it."""
    before = _timerange(None, n + 1) if reverse else _timerange(n - max(1, flow.step if filters else 1), None)
    query = f"{filters}&timerange={before}&limit=1&reverse_order={str(reverse).lower()}".lstrip("&")
    return f"page={probe.perform(f'/flows/{flow.id}/segments?{query}').headers['x-paging-nextkey']}"


def _timerange(first: int | None, last: int | None) -> str:
    """From the start of segment `first` to the start of segment `last`."""
    start = "" if first is None else f"[{first * SEGMENT_S}:0"
    end = "" if last is None else f"{last * SEGMENT_S}:0)"
    return f"{start}_{end}"


def _checked(probe: Probe, flow: Filled, query: str, expected: int) -> str:
    path = f"/flows/{flow.id}/segments?{query}"
    items: list[Any] = probe.perform(path).json
    assert len(items) == expected, f"{path} has {len(items)} segments, not {expected}"
    return path
