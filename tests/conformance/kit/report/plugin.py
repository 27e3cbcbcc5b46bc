"""pytest plugins that collect results, including those of pytest-xdist workers, and write the report.

Each test's behaviours and last exchanges are passed on as user properties of its pytest report.
"""

import json
import re
from collections.abc import Generator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.kit.exchange_log import EXCHANGE_LOG
from tests.conformance.kit.preparation import PreparationError
from tests.conformance.kit.report.page import write_page
from tests.conformance.kit.report.results import FAILURES_SHOWN, NOT_GOOD, Result, findings, headline

_BEHAVIOURS = "behaviours"
_EXCHANGES = "exchanges"
_OUTCOME = "outcome"
_MESSAGE_CHARS = 2000
_OWN_ERRORS = re.compile(r"^(tests\.[\w.]+\.NotPrepared|AssertionError): ")
_MISSING_MEMBER = re.compile(r"KeyError: (.+)$")


class ReportPlugin:
    """Collects results and writes the report. folder: to write to. subject: the URL tested, for the title."""

    def __init__(self, folder: Path, subject: str, api_version: str) -> None:
        self._folder = folder
        self._subject = subject
        self._api_version = api_version
        self._results: dict[str, Result] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        properties: dict[str, Any] = dict(report.user_properties)
        if properties.get(_BEHAVIOURS):
            self._results[report.nodeid] = Result(
                report.nodeid,
                properties.get(_OUTCOME, report.outcome),
                properties[_BEHAVIOURS],
                _message(report),
                properties.get(_EXCHANGES, ()),
                report.duration,
            )

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput"):
            return
        found = findings(sorted(self._results.values(), key=lambda result: result.name))
        self._folder.mkdir(parents=True, exist_ok=True)
        summary = {
            "subject": self._subject,
            "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "api_version": self._api_version,
            "tests": len(self._results),
            "levels": headline(found),
        }
        behaviours = [
            {
                "id": each.behaviour.id,
                "level": each.behaviour.level,
                "state": each.state,
                "reason": each.reason,
                "tests": sorted({test.name.partition("[")[0] for test in each.tests}),
                "failures": [asdict(test) for test in each.tests if test.outcome in NOT_GOOD][:FAILURES_SHOWN],
            }
            for each in found
        ]
        document = json.dumps({**summary, "behaviours": behaviours}, indent=1, ensure_ascii=False)
        (self._folder / "report.json").write_text(document, encoding="utf-8")
        write_page(self._folder / "index.html", summary, found)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        levels = headline(findings(list(self._results.values())))
        terminalreporter.section("behaviours")
        for level in levels:
            states = ", ".join(f"{n} {state}" for state, n in level["states"].items() if n and state != "Pass")
            terminalreporter.line(f"{level['level']:10} {level['passed']:>4} of {level['tested']:>4} passed   {states}")
        terminalreporter.line(f"report: {self._folder / 'index.html'}")


class ExchangeLogPlugin:
    """Runs in the process of the tests. Records the behaviours of each test, and the exchanges of failed ones."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        named = [str(id_) for mark in item.iter_markers("behaviour") for id_ in mark.args]
        report.user_properties.append((_BEHAVIOURS, named))
        if report.failed:
            report.user_properties.append((_EXCHANGES, EXCHANGE_LOG.summaries()))
            if report.when == "setup" or (call.excinfo and isinstance(call.excinfo.value, PreparationError)):
                report.user_properties.append((_OUTCOME, "unprepared"))
        return report

    def pytest_runtest_setup(self) -> None:
        EXCHANGE_LOG.clear()


def _message(report: pytest.TestReport) -> str:
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    if report.failed:
        message = str(crash.message if crash else report.longrepr)[:_MESSAGE_CHARS]
        missing = _MISSING_MEMBER.match(message)
        return f"the response has no {missing[1]}" if missing else _OWN_ERRORS.sub("", message)
    return ""
