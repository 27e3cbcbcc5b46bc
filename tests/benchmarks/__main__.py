"""`python -m tests.benchmarks`: measures the rows of docs/performance.md side by side with their baselines."""

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.document import write_document
from tests.benchmarks.frame import ROOT, Options, Outcome, Row, Shared
from tests.benchmarks.picture import draw_costs
from tests.benchmarks.report import heading, line, load, save, summary
from tests.benchmarks.rows.registry import ROWS
from tests.servers.stores import CATALOGUES

_SIZES = "1000,10000,100000,1000000"
_LISTING_SIZES = "1000,100000"
_SHORT_ROWS = "P1,P2,P3,P4,P8"


def main() -> int:
    options = _parser().parse_args()
    if options.document:
        write_document(load(options.document))
        return 0
    with ExitStack() as stack:
        chosen = _options(options, Shared(stack))
        outcomes = [outcome for row in _rows(options) for outcome in _measured(row, chosen)]
    print(f"\n{summary(outcomes)}")
    if options.json:
        save(options.json, outcomes, chosen)
    if options.picture:
        options.picture.write_text(draw_costs(outcomes))
    return 0 if all(getattr(each, "met", True) for each in outcomes) else 1


def _measured(row: Row, options: Options) -> list[Outcome]:
    print(f"\n{row.id}: {row.title}", flush=True)
    began = time.monotonic()
    found: list[Outcome] = []
    for outcome in row.measure(options):
        if not found:
            print(heading())
        found.append(outcome)
        print(line(outcome), flush=True)
    print(f"  {time.monotonic() - began:.0f} s", flush=True)
    return found


def _rows(arguments: argparse.Namespace) -> list[Row]:
    wanted = arguments.only or (_SHORT_ROWS.split(",") if arguments.short else list(ROWS))
    unknown = set(wanted) - set(ROWS)
    if unknown:
        raise SystemExit(f"--only: {', '.join(sorted(unknown))}: not among {', '.join(ROWS)}")
    return [ROWS[name] for name in wanted]


def _options(arguments: argparse.Namespace, shared: Shared) -> Options:
    short = arguments.short
    return Options(
        checkout=arguments.server.resolve(),
        stores=arguments.store or (["sqlite"] if short else ["sqlite", "postgresql"]),
        sizes=arguments.sizes or ([1000, 200_000] if short else _numbers(_SIZES)),
        listing_sizes=arguments.listing_sizes or ([1000, 50_000] if short else _numbers(_LISTING_SIZES)),
        rounds=arguments.rounds,
        short=short,
        tools=arguments.tools,
        shared=shared,
        say=lambda text: print(f"  {text}", flush=True),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure the speed of the server side by side with named baselines. The exit status is 1 if a "
        "target is missed.",
        epilog="; ".join(f"{row.id}: {row.title}" for row in ROWS.values()),
    )
    add = parser.add_argument
    add("--only", type=_names, metavar="P4,P5", help="measure only these rows")
    add("--short", action="store_true", help=f"the form for CI: {_SHORT_ROWS}, few cases, wide margins")
    add(
        "--store",
        type=_stores,
        metavar="NAME[,NAME]",
        help=f"catalogues of rows that have several: of {', '.join(CATALOGUES)} (default sqlite,postgresql)",
    )
    add("--sizes", type=_numbers, metavar="N,N", help=f"segments in a flow, for P1 and P2 (default {_SIZES})")
    add(
        "--listing-sizes",
        type=_numbers,
        metavar="N,N",
        help=f"flows and sources, for P3 (default {_LISTING_SIZES}; up to 1000000)",
    )
    add("--rounds", type=int, default=30, help="interleaved rounds of each case (default 30)")
    add("--server", type=_checkout, default=ROOT, metavar="FOLDER", help="checkout whose server is measured")
    add("--json", type=Path, metavar="FILE", help="write the results there")
    add("--picture", type=Path, metavar="FILE", help="write an SVG of cost against size there")
    add(
        "--tools",
        type=Path,
        default=Path.home() / ".cache" / "tams-benchmarks",
        metavar="FOLDER",
        help="where baselines from npm are installed",
    )
    add(
        "--document",
        type=Path,
        metavar="FILE",
        help="only write the results of FILE into docs/performance.md and its picture",
    )
    return parser


def _checkout(text: str) -> Path:
    # Without this the server of this checkout would be measured instead.
    if not (Path(text) / "tams_server").is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a checkout of the server")
    return Path(text)


def _names(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> list[int]:
    numbers = sorted(int(each) for each in text.replace("_", "").split(","))
    if len(numbers) < 2 or not numbers[0] >= 100 or numbers[-1] > 10_000_000:
        raise argparse.ArgumentTypeError("needs at least two numbers from 100 to 10000000")
    return numbers


def _stores(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= set(CATALOGUES):
        raise argparse.ArgumentTypeError(f"must be of {', '.join(CATALOGUES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
