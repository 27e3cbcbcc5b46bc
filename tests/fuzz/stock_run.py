"""A run of schemathesis as anyone starts it: with its command, its own checks and phases, and no configuration."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conformance.kit.server import Subject

_EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
"""If set, a full run, with as many random cases as schemathesis chooses. Otherwise a quick one."""
_QUICK_EXAMPLES = 5
TIMEOUT_S = 1200
_COMMAND = Path(sys.executable).with_name("schemathesis")


def stock_run(document: Path, subject: Subject, seed: int, folder: Path) -> dict[tuple[str, str], str]:
    """Run schemathesis on a server. Returns the title of each failure, by its code and operation.

    document: the OpenAPI document. folder: for what schemathesis writes.
    """
    report = folder / "report.json"
    command = [
        *(str(_COMMAND), "run", str(document), "--url", subject.url, "--no-color", "--continue-on-failure"),
        *("--header", f"Authorization: Bearer {subject.token}", "--seed", str(seed), "--report-json-path", str(report)),
        *(() if _EXAMPLES else ("--max-examples", str(_QUICK_EXAMPLES))),
    ]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert report.exists(), ran.stdout[-3000:] + ran.stderr[-3000:]
    found = json.loads(report.read_text())
    assert found["complete"], ran.stdout[-3000:]
    assert not found["errors"], found["errors"]
    return {
        (failure["code"], operation): failure["title"]
        for failure in found["failures"]
        for operation in failure["operations"]
    }
