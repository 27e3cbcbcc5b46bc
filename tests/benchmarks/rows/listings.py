"""P3: the cost of a filtered page of flows or sources, depending on how many there are."""

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks import listing_seeding
from tests.benchmarks.comparison import compare_sizes
from tests.benchmarks.frame import Options, Outcome, Result
from tests.benchmarks.listing_seeding import ABSENT, COMMON, FILTERS, RARE, VALUES
from tests.benchmarks.probe import Probe
from tests.benchmarks.seeding import seeding
from tests.servers.stores import running

_PAGE = 20
_FEW = 3
_TARGET = 2


def measure_listings(options: Options) -> Iterator[Outcome]:
    """Every filter with a common, a rare and an absent value; then each pair of filters, of whose values the worst."""
    for store in options.stores:
        if store.startswith("vast"):
            continue
        with _catalogues(store, options) as probes:
            for listing, filters in FILTERS.items():
                for each, value in itertools.product(filters, VALUES):
                    _check(probes, f"/{listing}?{each.parameters[value]}", value)
                    yield from _compare(
                        probes, store, listing, f"{each.name} {value}", [each.parameters[value]], options
                    )
                for pair in itertools.combinations(filters, 2):
                    yield from _worst(
                        result
                        for values in itertools.product(VALUES, repeat=2)
                        for result in _compare(
                            probes,
                            store,
                            listing,
                            " and ".join(f"{each.name} {value}" for each, value in zip(pair, values, strict=True)),
                            [each.parameters[value] for each, value in zip(pair, values, strict=True)],
                            options,
                        )
                    )


@contextmanager
def _catalogues(store: str, options: Options) -> Iterator[dict[int, Probe]]:
    """An application over a catalogue of each size."""
    with ExitStack() as stack:
        stores = stack.enter_context(running(store, "files"))
        probes = {}
        for count in options.listing_sizes:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tams-bench-")))
            probe = stack.enter_context(Probe(options.checkout, folder, stores.settings(folder)))
            options.say(f"{store}: {count:,} flows and sources")
            listing_seeding.create(probe)
            with seeding(probe.database) as seeder:
                listing_seeding.fill(seeder, count)
            probes[count] = probe
        yield probes


def _compare(
    probes: dict[int, Probe], store: str, listing: str, case: str, parameters: Sequence[str], options: Options
) -> Iterator[Result]:
    path = f"/{listing}?{'&'.join(parameters)}&limit={_PAGE}"
    requests = {count: (probe, path) for count, probe in probes.items()}
    yield from compare_sizes("P3", f"{listing}: {case}", store, requests, options, _TARGET)


def _check(probes: dict[int, Probe], path: str, value: str) -> None:
    """Check that the filter finds as many as it is meant to, or the cost would be that of something else."""
    expected = {COMMON: range(_PAGE, _PAGE + 1), RARE: range(_FEW, _FEW + 1), ABSENT: range(1)}[value]
    for probe in probes.values():
        found = len(probe.perform(f"{path}&limit={_PAGE}").json)
        assert found in expected, f"{path} finds {found}"


def _worst(results: Iterator[Result]) -> Iterator[Result]:
    """Of the results of each unit and size, the one with the highest ratio."""
    worst: dict[tuple[str, int], Result] = {}
    for each in results:
        kind = each.unit, each.size
        if kind not in worst or each.figure > worst[kind].figure:
            worst[kind] = each
    yield from worst.values()
