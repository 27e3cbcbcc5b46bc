"""`python -m tests.benchmarks`: prints what a page of segments costs in a short and in a long flow, and what a change
costs with few and with many webhooks."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import webhooks
from tests.benchmarks.pages import measure
from tests.servers.stores import CATALOGUES, running

ALLOWED = 1.5
ALLOWED_WITH_WEBHOOKS = 1.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=500, help="segments in the short flow (default 500)")
    parser.add_argument("--long", type=int, default=500_000, help="segments in the long flow (default 500000)")
    parser.add_argument("--store", choices=CATALOGUES, default="sqlite", help="what holds these flows (default sqlite)")
    parser.add_argument("--only", choices=("pages", "webhooks"), help="leave the other out")
    parser.add_argument("--rounds", type=int, default=300, help="requests of each kind (default 300)")
    arguments = parser.parse_args()
    kept = [] if arguments.only == "webhooks" else [_pages(arguments)]
    kept += [] if arguments.only == "pages" else [_webhooks(arguments.rounds)]
    return 0 if all(kept) else 1


def _pages(asked: argparse.Namespace) -> bool:
    """Whether a page of the long flow costs about as much as one of the short."""
    print(f"Filling flows on {asked.store} with {asked.short:,} and {asked.long:,} segments", flush=True)
    with running(asked.store, "files") as stores, tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), stores, asked.short, asked.long, asked.rounds, lambda t: print(t, flush=True))
    print(f"\n{'a page of 30 segments':28}{'short':>10}{'long':>10}{'ratio':>8}   (at most {ALLOWED})")
    for each in found:
        print(f"{each.name:28}{each.short_ms:>8.2f}ms{each.long_ms:>8.2f}ms{each.ratio:>8.2f}")
    return all(each.ratio <= ALLOWED for each in found)


def _webhooks(rounds: int) -> bool:
    """Whether a change costs about as much with many webhooks as with none or one."""
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
        costs += webhooks.measure(Path(folder), webhooks.AT_WORK, rounds)
    print(f"\n{'a change of a label':36}{'median':>10}{'p95':>10}{'processor':>11}")
    for cost in costs:
        print(f"{cost.case.name:36}{cost.median_ms:>8.2f}ms{cost.p95_ms:>8.2f}ms{cost.cpu_ms:>9.2f}ms")
    ratios = {
        "1,000 against 1, other flows'": many.cpu_ms / one.cpu_ms,
        "1,000 against 1, this flow's": matching_many.cpu_ms / matching_one.cpu_ms,
    }
    for name, ratio in ratios.items():
        print(f"{name:36}{ratio:>10.2f}   (at most {ALLOWED_WITH_WEBHOOKS})")
    print(f"{'1 against none':36}{one.cpu_ms / none.cpu_ms:>10.2f}")
    return all(ratio <= ALLOWED_WITH_WEBHOOKS for ratio in ratios.values())


if __name__ == "__main__":
    sys.exit(main())
