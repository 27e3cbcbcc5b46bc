"""`python -m tests.benchmarks`: the cost of a page of segments in short and long flows, and of a change of a flow with
few and many webhooks."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import webhooks
from tests.benchmarks.pages import measure
from tests.servers.stores import CATALOGUES, running

MAX_PAGE_RATIO = 1.5
MAX_WEBHOOK_RATIO = 1.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=500, help="segments in the short flow (default 500)")
    parser.add_argument("--long", type=int, default=500_000, help="segments in the long flow (default 500000)")
    parser.add_argument(
        "--store", choices=CATALOGUES, default="sqlite", help="catalogue of these flows (default sqlite)"
    )
    parser.add_argument("--only", choices=("pages", "webhooks"), help="run only this benchmark")
    parser.add_argument("--rounds", type=int, default=300, help="requests of each kind (default 300)")
    arguments = parser.parse_args()
    passed = [] if arguments.only == "webhooks" else [_pages(arguments)]
    passed += [] if arguments.only == "pages" else [_webhooks(arguments.rounds)]
    return 0 if all(passed) else 1


def _pages(options: argparse.Namespace) -> bool:
    """Whether a page of the long flow costs about as much as one of the short flow."""
    print(f"Filling flows on {options.store} with {options.short:,} and {options.long:,} segments", flush=True)
    with running(options.store, "files") as stores, tempfile.TemporaryDirectory() as folder:
        found = measure(
            Path(folder), stores, options.short, options.long, options.rounds, lambda t: print(t, flush=True)
        )
    print(f"\n{'a page of 30 segments':28}{'short':>10}{'long':>10}{'ratio':>8}   (at most {MAX_PAGE_RATIO})")
    for each in found:
        print(f"{each.name:28}{each.short_ms:>8.2f}ms{each.long_ms:>8.2f}ms{each.ratio:>8.2f}")
    return all(each.ratio <= MAX_PAGE_RATIO for each in found)


def _webhooks(rounds: int) -> bool:
    """Whether a change costs about as much with many webhooks as with one."""
    cases = [
        webhooks.NONE,
        webhooks.ONE,
        webhooks.MANY,
        webhooks.Case("1 webhook, this flow's", 1, worker_interval=webhooks.IDLE),
        webhooks.Case("1,000 webhooks, this flow's", 1000, worker_interval=webhooks.IDLE),
    ]
    with tempfile.TemporaryDirectory() as folder:
        none, one, many, matching_one, matching_many = costs = webhooks.measure(Path(folder), cases, rounds)
    with tempfile.TemporaryDirectory() as folder:
        costs += webhooks.measure(Path(folder), webhooks.WORKER_ACTIVE, rounds)
    print(f"\n{'a change of a label':36}{'median':>10}{'p95':>10}{'CPU':>11}")
    for cost in costs:
        print(f"{cost.case.name:36}{cost.median_ms:>8.2f}ms{cost.p95_ms:>8.2f}ms{cost.cpu_ms:>9.2f}ms")
    ratios = {
        "1,000 versus 1, other flows'": many.cpu_ms / one.cpu_ms,
        "1,000 versus 1, this flow's": matching_many.cpu_ms / matching_one.cpu_ms,
    }
    for name, ratio in ratios.items():
        print(f"{name:36}{ratio:>10.2f}   (at most {MAX_WEBHOOK_RATIO})")
    print(f"{'1 versus none':36}{one.cpu_ms / none.cpu_ms:>10.2f}")
    return all(ratio <= MAX_WEBHOOK_RATIO for ratio in ratios.values())


if __name__ == "__main__":
    sys.exit(main())
