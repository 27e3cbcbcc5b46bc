"""Compares the cost of one request between catalogues or flows of several sizes."""

from collections.abc import Iterator, Mapping
from functools import partial

from tests.benchmarks.frame import Options, Result, Sample, Target, interleave, ratio
from tests.benchmarks.precedence import STRONG, precedence
from tests.benchmarks.probe import Probe

_BUDGET_S = 5.0
_SHORT_ROUNDS = 3
_SHORT_TIMES = 3
_SHORT_BUDGET_S = 0.1
_SHORT_STEPS = 1.25
_SHORT_CPU = 2.5


def compare_sizes(
    row: str, case: str, store: str, requests: Mapping[int, tuple[Probe, str]], options: Options, target: float
) -> Iterator[Result]:
    """Yield the cost at each size in relation to that at the smallest.

    requests: by size, ascending, the application and the path of a GET. target: of the ratio.

    The full form compares wall-clock times. The short form must not fail because of other load on the machine: it
    compares the steps of SQLite, which do not depend on it, and by a wider margin the least CPU time of several
    requests, which shows what SQLite does not count.
    """
    if not options.short:
        costs = {size: partial(probe.wall_ms, path) for size, (probe, path) in requests.items()}
        with precedence(STRONG):
            samples = interleave(costs, options.rounds, _BUDGET_S)
        yield from _ratios(row, f"{case}, {store}", "ms", samples, Target(target))
        return
    costs = {size: partial(_least_cpu_ms, probe, path) for size, (probe, path) in requests.items()}
    found = interleave(costs, _SHORT_ROUNDS, _SHORT_BUDGET_S, at_least=1)
    samples = {size: Sample((min(each.values),)) for size, each in found.items()}
    yield from _ratios(row, f"{case}, {store}, CPU", "ms", samples, Target(target * _SHORT_CPU))
    if store == "sqlite":
        steps = {size: Sample((_steps(probe, path),)) for size, (probe, path) in requests.items()}
        yield from _ratios(row, f"{case}, {store}, steps", "steps", steps, Target(target * _SHORT_STEPS))


def _least_cpu_ms(probe: Probe, path: str) -> float:
    return min(probe.perform(path, times=_SHORT_TIMES).cpu_ms)


def _steps(probe: Probe, path: str) -> float:
    steps = probe.perform(path, steps=True).steps
    assert steps, f"{path} causes no steps of SQLite that could be counted"
    return float(steps)


def _ratios(row: str, case: str, unit: str, samples: Mapping[int, Sample], target: Target) -> Iterator[Result]:
    smallest, *others = samples
    for size in others:
        name = f"{case}, {smallest:,} -> {size:,}"
        yield ratio(
            row, name, unit, samples[size], samples[smallest], target, group=case, size=size, base_size=smallest
        )
