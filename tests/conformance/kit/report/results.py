"""The state of each behaviour, derived from the outcomes of its tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.conformance.kit.report.behaviours import Behaviour, behaviours
from tests.conformance.kit.report.untested import reason_untested

STATES = ("Pass", "Fail", "Warning", "Not Implemented", "Not Applicable", "Could Not Test")
DIFFERENCES = ("Fail", "Warning")
NOT_GOOD = ("failed", "unprepared")
"""Outcomes that are shown with their requests and responses."""
FAILURES_SHOWN = 2
"""Failed tests shown for each behaviour."""
NOT_IMPLEMENTED = "not implemented: "
NOT_APPLICABLE = "not applicable: "
"""Prefixes of skip reasons that mean one of these states."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one test. outcome: "passed", "failed", "skipped", or "unprepared" if a resource it needs could not
    be made. message: the reason, unless it passed. exchanges: the last requests as curl commands, with responses."""

    name: str
    outcome: str
    behaviours: Sequence[str]
    message: str
    exchanges: Sequence[Mapping[str, Any]]
    seconds: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A behaviour, its state, the reason if that is not Pass, and the tests that name it."""

    behaviour: Behaviour
    state: str
    reason: str
    tests: Sequence[Result]


def findings(results: Sequence[Result]) -> list[Finding]:
    """The state of every listed behaviour, in list order."""
    by_id: dict[str, list[Result]] = {}
    for result in results:
        for id_ in result.behaviours:
            by_id.setdefault(id_, []).append(result)
    return [_finding(behaviour, by_id.get(id_, [])) for id_, behaviour in behaviours().items()]


def _finding(behaviour: Behaviour, tests: Sequence[Result]) -> Finding:
    failed = [test for test in tests if test.outcome == "failed"]
    if failed:
        state = "Fail" if behaviour.required else "Warning"
        return Finding(behaviour, state, failed[0].message, tests)
    unprepared = [test for test in tests if test.outcome == "unprepared"]
    if unprepared:
        return Finding(behaviour, "Could Not Test", unprepared[0].message, tests)
    if any(test.outcome == "passed" for test in tests):
        return Finding(behaviour, "Pass", "", tests)
    if not tests:
        return Finding(behaviour, "Could Not Test", reason_untested(behaviour.id), tests)
    reasons = list(dict.fromkeys(test.message for test in tests))
    for prefix, state in ((NOT_IMPLEMENTED, "Not Implemented"), (NOT_APPLICABLE, "Not Applicable")):
        named = [reason.removeprefix(prefix) for reason in reasons if reason.startswith(prefix)]
        if named and prefix == NOT_APPLICABLE and behaviour.since == "8.0":
            return Finding(behaviour, "Could Not Test", f"its tests also need features {'; '.join(named)}", tests)
        if named:
            return Finding(behaviour, state, "; ".join(named), tests)
    return Finding(behaviour, "Could Not Test", "; ".join(reasons), tests)


def headline(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """The number of behaviours in each state, and of those tested and passed, by level."""
    levels: dict[str, dict[str, int]] = {}
    for each in found:
        counts = levels.setdefault(each.behaviour.level, dict.fromkeys(STATES, 0))
        counts[each.state] += 1
    order = ("MUST", "MUST(c)", "DOC", "SHOULD", "SHOULD(a)", "MAY", "DER", "INF")
    return [
        {
            "level": level,
            "states": levels[level],
            "passed": levels[level]["Pass"],
            "tested": levels[level]["Pass"] + levels[level]["Fail"] + levels[level]["Warning"],
        }
        for level in order
        if level in levels
    ]
