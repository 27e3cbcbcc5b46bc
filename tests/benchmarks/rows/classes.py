"""P16: a page of flows that a caller may read by their classes, against the same page with no classes in force."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.benchmarks import class_seeding
from tests.benchmarks.frame import Options, Outcome, Sample, interleave, ratio
from tests.benchmarks.precedence import STRONG, precedence
from tests.benchmarks.probe import Probe, import_only_from
from tests.benchmarks.seeding import seeding
from tests.servers.stores import running

_PAGE = "/flows?limit=100"
_AT_MOST = 1.3
_BUDGET_S = 30.0
_SHORT_ROUNDS = 5
_SHORT_TIMES = 3
_SHORT_MARGIN = 1.6


def measure_classes(options: Options) -> Iterator[Outcome]:
    """P16. The short form compares the least CPU time of several requests, which other load changes least."""
    for store in options.stores:
        if store.startswith("vast"):
            continue
        for reader, applications in _applications(store, options):
            case = f"100 of {options.listing_sizes[-1]:,} flows, {reader} readable, {store}"
            if options.short:
                costs = {on: partial(_least_cpu_ms, each) for on, each in applications.items()}
                found = interleave(costs, _SHORT_ROUNDS)
                least = {on: Sample((min(each.values),)) for on, each in found.items()}
                target = options.target(_AT_MOST, _SHORT_MARGIN)
                yield ratio("P16", f"{case}, CPU", "ms", least[True], least[False], target)
                continue
            with precedence(STRONG):
                samples = interleave(
                    {on: partial(each.wall_ms, _PAGE) for on, each in applications.items()}, options.rounds, _BUDGET_S
                )
            yield ratio("P16", case, "ms", samples[True], samples[False], options.target(_AT_MOST, 1))


def _applications(store: str, options: Options) -> Iterator[tuple[str, dict[bool, Probe]]]:
    """For each caller, an application with classes in force and one without, over the same catalogue."""
    with ExitStack() as stack:
        stores = stack.enter_context(running(store, "files"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tams-bench-")))
        settings = stores.settings(folder)
        with Probe(options.checkout, folder, settings) as probe:
            class_seeding.create(probe)
            with seeding(probe.database) as seeder:
                class_seeding.fill(seeder, options.listing_sizes[-1])
        options.say(f"{store}: {options.listing_sizes[-1]:,} flows with classes")
        for reader, groups in class_seeding.READERS.items():
            token = _new_token(options.checkout, folder, settings, reader, groups)
            with contextlib.ExitStack() as applications:
                found = {}
                for on in (True, False):
                    chosen = {**settings, "TAMS_AUTHORISATION": "classes"} if on else settings
                    probe = applications.enter_context(Probe(options.checkout, folder, chosen, token=token))
                    page = probe.perform(_PAGE).json
                    assert len(page) == 100
                    assert all(_may_read(flow, groups) for flow in page) == on, "what the caller gets is not restricted"
                    found[on] = probe
                yield reader, found


def _may_read(flow: dict[str, dict[str, list[str]]], groups: list[str]) -> bool:
    return not set(groups).isdisjoint(flow["tags"]["auth_classes"])


def _least_cpu_ms(probe: Probe) -> float:
    return min(probe.perform(_PAGE, times=_SHORT_TIMES).cpu_ms)


def _new_token(checkout: Path, folder: Path, settings: Mapping[str, str], name: str, groups: list[str]) -> str:
    """Create a token with these groups, and return its secret."""
    command = [sys.executable, "-m", "tams_server", "token", "create", "--name", name, "--scopes", "read"]
    for group in groups:
        command += ["--group", group]
    environment = {**os.environ, **import_only_from(checkout), "TAMS_DATA_DIR": str(folder / "data"), **settings}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()
