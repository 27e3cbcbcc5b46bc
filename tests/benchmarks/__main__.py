"""`python -m tests.benchmarks`: prints what a page of segments costs in a short and in a long flow."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.pages import measure

ALLOWED = 1.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=500, help="segments in the short flow (default 500)")
    parser.add_argument("--long", type=int, default=500_000, help="segments in the long flow (default 500000)")
    parser.add_argument("--rounds", type=int, default=300, help="requests of each kind (default 300)")
    arguments = parser.parse_args()
    print(f"Filling flows with {arguments.short:,} and {arguments.long:,} segments", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), arguments.short, arguments.long, arguments.rounds, lambda t: print(t, flush=True))
    print(f"\n{'a page of 30 segments':28}{'short':>10}{'long':>10}{'ratio':>8}   (at most {ALLOWED})")
    for each in found:
        print(f"{each.name:28}{each.short_ms:>8.2f}ms{each.long_ms:>8.2f}ms{each.ratio:>8.2f}")
    return 0 if all(each.ratio <= ALLOWED for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
