"""The short form of the benchmark, with margins so wide that only a change for the worse misses a target.

It runs in a session of its own, so that the precedence that it takes for a few seconds is not that of other tests.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def run_short_form(folder: Path, rows: str) -> list[dict[str, Any]]:
    """Return the results that have a target."""
    file = folder / "results.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--short", "--only", rows, "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, start_new_session=True)
    assert file.exists(), done.stdout + done.stderr
    results = [each for each in json.loads(file.read_text())["results"] if each.get("target")]
    assert results, done.stdout
    assert (done.returncode == 0) == (not _missed(results)), done.stdout
    return results


def _missed(results: list[dict[str, Any]]) -> list[str]:
    return [
        f"{each['row']} {each['case']}: {each['figure']:.2f} instead of at most {each['target']['value']:.2f}"
        for each in results
        if each["figure"] > each["target"]["value"]
    ]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rows", ["P1,P2", "P3", "P4,P8", "P15", "P16"])
def test_short_form_meets_its_targets(tmp_path: Path, rows: str) -> None:
    assert _missed(run_short_form(tmp_path, rows)) == []
