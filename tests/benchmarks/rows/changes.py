"""W: the cost of a change of a flow, depending on the number of webhooks, and of request metrics."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import metrics, webhooks
from tests.benchmarks.frame import Options, Outcome, Sample, Target, ratio
from tests.benchmarks.probe import import_only_from

_WEBHOOKS = 1.1
_METRICS = 0.05


def measure_webhooks(options: Options) -> Iterator[Outcome]:
    """W1: with 1,000 webhooks in relation to one, of other flows and of this one; CPU time of the serving process."""
    cases = [
        webhooks.NONE,
        webhooks.ONE,
        webhooks.MANY,
        webhooks.Case("1 webhook, this flow's", 1, worker_interval=webhooks.IDLE),
        webhooks.Case("1,000 webhooks, this flow's", 1000, worker_interval=webhooks.IDLE),
    ]
    with tempfile.TemporaryDirectory(prefix="tams-bench-") as folder:
        costs = webhooks.measure(Path(folder), cases, 10 * options.rounds, import_only_from(options.checkout))
    none, one, many, own_one, own_many = (Sample((each.cpu_ms,)) for each in costs)
    yield ratio("W1", "1,000 webhooks of other flows to 1, CPU time", "ms", many, one, Target(_WEBHOOKS))
    yield ratio("W1", "1,000 webhooks of this flow to 1, CPU time", "ms", own_many, own_one, Target(_WEBHOOKS))
    yield ratio("W1", "1 webhook to none, CPU time", "ms", one, none)


def measure_metrics(_options: Options) -> Iterator[Outcome]:
    """W2: the CPU time of counting a request in relation to all of it."""
    whole, counting = (Sample((1000 * seconds,)) for seconds in metrics.measure())
    yield ratio("W2", "metrics of GET /flows to all of it, CPU time", "ms", counting, whole, Target(_METRICS))
