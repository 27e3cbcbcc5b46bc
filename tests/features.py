"""`python -m tests.features` writes docs/features.md: what this server adds to TAMS, and the tests that prove it.

A module of tests that proves a feature names its number in the first paragraph of its docstring.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "features.md"

_NUMBER = re.compile(r"\bF\d+\b")


@dataclass(frozen=True, slots=True)
class Feature:
    """pages: of docs/, that describe it. planned: it is not there yet, so that no test proves it."""

    number: str
    name: str
    about: str
    pages: Sequence[str] = ()
    planned: bool = False


FEATURES = (
    Feature(
        "F1",
        "separate timeouts of presigned URLs",
        "uploads and downloads have times of their own, both at least what `GET /service` advertises",
        ("storage.md",),
    ),
    Feature(
        "F2",
        "several storage backends",
        "any number, of files and S3, from one file of settings; a default; copies between them",
        ("storage.md",),
    ),
    Feature(
        "F3",
        "cascade",
        "`cascade=false` deletes only what nothing depends on; a source can be deleted with all its flows",
        ("deletion.md",),
    ),
    Feature(
        "F4",
        "asynchronous deletion",
        "above `TAMS_ASYNC_DELETION_THRESHOLD` segments, a flow delete request that workers carry out in batches",
        ("deletion.md",),
    ),
    Feature("F5", "POST of sources and flows", "one or many in a request, each failure by itself", ("batches.md",)),
    Feature("F6", "batches of objects", "many objects allocated or registered in a request", ("batches.md",)),
    Feature("F7", "upload through the API", "a segment and its file in one request, as a form", ("uploads.md",)),
    Feature(
        "F8", "table projections", "`tams-server tables projections` on VAST, and the indexes of others", ("vast.md",)
    ),
    Feature(
        "F9",
        "validation level",
        "`TAMS_VALIDATION_LEVEL=relaxed` stores what can be stored, and records what is wrong with it",
        ("compliance.md",),
    ),
    Feature("F10", "error codes", "every error has a stable code, a severity, the field and the rule", ("errors.md",)),
    Feature(
        "F11",
        "metrics, traces, logs",
        "Prometheus, OpenTelemetry, JSON logs, request ids, health and readiness, a Grafana dashboard",
        ("operations.md",),
    ),
    Feature("F12", "SQL analytics", "questions and SQL over the catalogue, on DuckDB or Trino", ("analytics.md",)),
    Feature("F13", "soft delete", "deleted flows and sources can be restored until their grace ends", ("deletion.md",)),
    Feature("F14", "segment tags", "tags on segments, and filters by them", ("segment-tags.md",)),
    Feature(
        "F15",
        "orphan report",
        "`tams-server check`: rows without bytes and bytes without rows, with repair",
        ("operations.md",),
    ),
    Feature(
        "F16", "fine-grained authorisation", "classes, groups and rules, applied in queries", ("authorisation.md",)
    ),
    Feature(
        "F17",
        "verified uploads",
        "`TAMS_VERIFY_UPLOADS`: a segment is registered only if its bytes have arrived",
        ("storage.md",),
    ),
    Feature("F18", "retention", "tags that say how long segments and flows are kept", ("retention.md",)),
    Feature("F19", "playback", "HLS made from segments: past and live, gaps, sound and pictures", ("playback.md",)),
    Feature(
        "F20", "console", "look at the catalogue, play flows and administer the service, in a browser", ("console.md",)
    ),
    Feature(
        "F21",
        "command line and client library",
        "`tams` looks around, ingests, exports, edits, copies and watches; a typed client, sync and async",
        ("command-line.md", "media-commands.md", "client-library.md"),
    ),
    Feature("F22", "replication", "a flow or source kept the same in another TAMS server", ("replication.md",)),
    Feature(
        "F23",
        "compliance report",
        "what breaks the standard in requests and in the catalogue, counted",
        ("compliance.md",),
    ),
)


def proofs() -> dict[str, list[str]]:
    """Return the paths of test modules by the feature that they prove."""
    found = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        for number in dict.fromkeys(_NUMBER.findall(docstring.partition("\n\n")[0])):
            found[number].append(str(path.relative_to(ROOT)))
    return found


def page() -> str:
    """The text of docs/features.md."""
    tests = proofs()
    rows = "\n".join(_row(feature, tests.get(feature.number, [])) for feature in FEATURES)
    return f"""# Features

What this server does that TAMS 8.2 does not ask for. A client that knows only TAMS never notices any of it. New paths
and parameters are declared in `api/overlay.yaml`, validated and described at `/docs` like all others.

This page is made from the tests: `python -m tests.features` writes it.

| | feature | what it does | more | proven by |
| --- | --- | --- | --- | --- |
{rows}
"""


def _row(feature: Feature, tests: Sequence[str]) -> str:
    pages = ", ".join(f"[{page}]({page})" for page in feature.pages)
    proven = "not there yet" if feature.planned else ", ".join(f"`{path}`" for path in tests)
    return f"| {feature.number} | {feature.name} | {feature.about} | {pages} | {proven} |"


if __name__ == "__main__":
    PAGE.write_text(page())
