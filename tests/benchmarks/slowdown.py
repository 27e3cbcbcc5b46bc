"""How many times as long as a baseline the server takes for the same requests."""

import re
from collections.abc import Iterator, Sequence
from functools import partial

import orjson

from tests.benchmarks.frame import Options, Result, Sample, Target, interleave, ratio
from tests.benchmarks.precedence import MILD, STRONG, precedence
from tests.benchmarks.served import Load, Served

CONNECTIONS = 4
_ROUNDS = 9
_SIGNATURE = re.compile(rb"exp=\d+&sig=[\w-]+")


def slowdown(
    row: str,
    case: str,
    server: Served,
    bare: Served,
    targets: Sequence[str],
    requests: int,
    target: Target | None,
    options: Options,
) -> Iterator[Result]:
    """GET the targets from both, over four connections, and yield how many times slower the server is.

    It is measured twice: by rate, as clients see it, and by CPU time of the two servers, which shows it even where the
    client is the one that is busy. The short form has the latter only, on which other load has less influence.
    """
    loads = compare_loads({"server": server, "bare": bare}, targets, requests, options)
    cpu = {name: Sample(tuple(each.cpu_ms for each in found)) for name, found in loads.items()}
    yield ratio(row, f"{case}, CPU time", "ms", cpu["server"], cpu["bare"], target)
    if not options.short:
        times = {name: Sample(tuple(1000 / each.rate for each in found)) for name, found in loads.items()}
        yield ratio(row, f"{case}, time by rate", "ms", times["server"], times["bare"], target)


def compare_loads(
    servers: dict[str, Served], targets: Sequence[str], requests: int, options: Options
) -> dict[str, list[Load]]:
    """The loads of several servers with the same requests, in interleaved rounds."""
    found: dict[str, list[Load]] = {name: [] for name in servers}

    def measure(name: str) -> float:
        load = servers[name].load(targets, CONNECTIONS, requests)
        found[name].append(load)
        return load.rate

    with precedence(MILD if options.short else STRONG):
        interleave({name: partial(measure, name) for name in servers}, _ROUNDS + 1)
    return {name: loads[1:] for name, loads in found.items()}


def require_same(server: Served, bare: Served, target: str) -> None:
    """Raise AssertionError unless both return the same documents in as many bytes, apart from signatures."""
    ours, theirs = (_SIGNATURE.sub(b"", each.get(target)) for each in (server, bare))
    assert orjson.loads(ours) == orjson.loads(theirs), f"{target}: the baseline returns something else"
    assert len(ours) == len(theirs), f"{target}: {len(ours)} bytes, but the baseline returns {len(theirs)}"
