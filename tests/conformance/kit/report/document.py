"""Generates docs/conformance.md: results by operation, and this server's choices where the standard is silent.

python -m tests.conformance.kit.report.document conformance-report/report.json
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conformance.kit.report.behaviours import PAGE, Behaviour, behaviours

DOCUMENT = PAGE.with_name("conformance.md")
SILENT = "## Where the specification is silent"
_HEAD = """# Conformance of this server

Generated from a run of the conformance kit against this server: `make conformance`, then
`.venv/bin/python -m tests.conformance.kit.report.document conformance-report/report.json`.
[behaviours.md](behaviours.md) defines the ids and levels. The report of a run shows the details of each behaviour.

The kit passes as well with everything that this server does beyond TAMS ([features.md](features.md)):
`make conformance FEATURES=all` ([testing.md](testing.md#one-suite-every-store)).
"""


def document(report: Mapping[str, Any]) -> str:
    """The text of the page. report: the contents of a run's report.json."""
    states = {each["id"]: (each["state"], each["reason"]) for each in report["behaviours"]}
    sections: dict[str, list[Behaviour]] = {}
    for behaviour in behaviours().values():
        sections.setdefault(behaviour.section, []).append(behaviour)
    lines = [_HEAD, *_levels(report["levels"]), "", "## By operation", ""]
    lines += ["| operation | passed | behaviours passed | others |", "| --- | --- | --- | --- |"]
    for title, items in sections.items():
        passed = [each.id for each in items if states[each.id][0] == "Pass"]
        others: dict[str, list[str]] = {}
        for each in items:
            state, _ = states[each.id]
            if state != "Pass":
                others.setdefault(state, []).append(each.id)
        rest = "; ".join(f"{state}: {_runs(ids)}" for state, ids in others.items())
        lines.append(f"| {title} | {len(passed)} of {len(items)} | {_runs(passed)} | {rest} |")
    lines += ["", "## Behaviours not tested", "", *_reasons(states), "", static_part()]
    return "\n".join(lines)


def static_part() -> str:
    """The part that does not depend on a run: the choices of this server, copied from behaviours.md."""
    return SILENT + PAGE.read_text(encoding="utf-8").partition(SILENT)[2]


def _levels(levels: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        f"| {each['level']} | {each['passed']} of {each['tested']} | {sum(each['states'].values()) - each['tested']} |"
        for each in levels
    ]
    return ["| level | passed, of those tested | not tested |", "| --- | --- | --- |", *rows]


def _reasons(states: Mapping[str, tuple[str, str]]) -> list[str]:
    by_reason: dict[tuple[str, str], list[str]] = {}
    for id_, (state, reason) in states.items():
        if state not in ("Pass", "Fail", "Warning"):
            by_reason.setdefault((state, reason), []).append(id_)
    return [f"- {state}: {reason} ({_runs(ids)})" for (state, reason), ids in by_reason.items()]


def _runs(ids: Iterable[str]) -> str:
    """Ids in short form, each prefix once and consecutive numbers as a range: "SEG-GET-01…05, 07"."""
    by_prefix: dict[str, list[int]] = {}
    for id_ in ids:
        prefix, _, number = id_.rpartition("-")
        by_prefix.setdefault(prefix, []).append(int(number))
    return "; ".join(f"{prefix}-{_ranges(numbers)}" for prefix, numbers in by_prefix.items())


def _ranges(numbers: Iterable[int]) -> str:
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    return ", ".join((", " if span[-1] - span[0] == 1 else "…").join(f"{each:02}" for each in span) for span in spans)


def main() -> None:
    parser = argparse.ArgumentParser(description="generate docs/conformance.md from the report of a run")
    parser.add_argument("report", type=Path, help="the report.json of a run")
    parser.add_argument("--output", type=Path, default=DOCUMENT, help="file to write (default: %(default)s)")
    options = parser.parse_args()
    options.output.write_text(document(json.loads(options.report.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
