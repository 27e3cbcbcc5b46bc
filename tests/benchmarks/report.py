"""Results as lines of text, and as JSON."""

import dataclasses
import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.frame import Options, Outcome, Result, Sample, Skipped, Target

_NAME = 62


def heading() -> str:
    return f"  {'':{_NAME}}{'measured':>12}{'spread':>19}{'baseline':>12}{'figure':>9}  target"


def line(outcome: Outcome) -> str:
    if isinstance(outcome, Skipped):
        return f"  {outcome.case:{_NAME}} skipped: {outcome.reason}"
    low, high = outcome.sample.spread
    baseline = "" if outcome.baseline is None else number(outcome.baseline.median)
    target = "" if outcome.target is None else f"{outcome.target}{'' if outcome.met else '  MISSED'}"
    return (
        f"  {outcome.case:{_NAME}}{number(outcome.sample.median) + ' ' + outcome.unit:>12}"
        f"{f'{number(low)}-{number(high)}':>19}{baseline:>12}{number(outcome.figure):>9}  {target}".rstrip()
    )


def number(value: float) -> str:
    """Three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def summary(outcomes: Sequence[Outcome]) -> str:
    results = [each for each in outcomes if isinstance(each, Result) and each.target is not None]
    missed = [each for each in results if not each.met]
    skipped = [each for each in outcomes if isinstance(each, Skipped)]
    lines = [f"{len(results) - len(missed)} targets met, {len(missed)} missed, {len(skipped)} skipped"]
    lines += [f"  missed: {each.row} {each.case}: {number(each.figure)}, target {each.target}" for each in missed]
    return "\n".join(lines)


def save(file: Path, outcomes: Sequence[Outcome], options: Options) -> None:
    """Write the results with what is needed to understand them."""
    content = {
        "made": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": sys.version.split()[0],
        "short": options.short,
        "sizes": list(options.sizes),
        "listing_sizes": list(options.listing_sizes),
        "results": [{"kind": type(each).__name__, **dataclasses.asdict(each)} for each in outcomes],
    }
    file.write_text(json.dumps(content, indent=1))


def load(file: Path) -> dict[str, Any]:
    """What `save` has written, with `outcomes` in place of `results`."""
    content = json.loads(file.read_text())
    content["outcomes"] = [_outcome(each) for each in content.pop("results")]
    return dict(content)


def _outcome(content: dict[str, Any]) -> Outcome:
    if content.pop("kind") == "Skipped":
        return Skipped(**content)
    for name in ("sample", "baseline"):
        content[name] = content[name] and Sample(tuple(content[name]["values"]))
    content["target"] = content["target"] and Target(**content["target"])
    return Result(**content)
