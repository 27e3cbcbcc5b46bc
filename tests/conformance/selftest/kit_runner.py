"""Runs selected tests of the kit in this process, and collects their outcomes."""

import io
from collections.abc import Generator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from openapi_core.exceptions import OpenAPIError

from tests.conformance.kit.server import Subject

FINDINGS = (AssertionError, OpenAPIError)
"""The exceptions that mean that a test found a fault. OpenAPIError comes from validating a response."""

EVENT_TIMEOUT_S = 8
"""Seconds to wait for events. Here they arrive promptly, or never because of a fault."""

_KIT = Path(__file__).parents[1]
_ROOT = _KIT.parents[1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a test. passed: in all phases. found: the test itself, not its setup, detected a fault."""

    test: str
    behaviours: frozenset[str]
    passed: bool
    found: bool
    detail: str


class _Collector:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "call" or not report.passed:
            found = call.when == "call" and call.excinfo is not None and isinstance(call.excinfo.value, FINDINGS)
            named = frozenset(str(id_) for mark in item.iter_markers("behaviour") for id_ in mark.args)
            detail = f"{report.when}: {report.longreprtext}"
            self.outcomes.append(Outcome(item.nodeid, named, report.passed, found, detail))
        return report


def run_kit(subject: Subject, tests: Sequence[str]) -> list[Outcome]:
    """Run tests of the kit ("test_x.py::test_y", with or without parameters) against a server."""
    collector = _Collector()
    options = ["--tams-url", subject.url, "--tams-token", subject.token, "--rootdir", str(_ROOT)]
    options += ["--webhook-receiver", "127.0.0.1", "--webhook-patience", str(EVENT_TIMEOUT_S)]
    # The outer run's timeout applies: its signal must not be taken over. Checking for unraisable exceptions is slow.
    without = ("cacheprovider", "xdist", "faulthandler", "unraisableexception")
    alone = ["--timeout", "0", "-q", "-s", *(f"-pno:{plugin}" for plugin in without)]
    shown = io.StringIO()
    with redirect_stdout(shown):
        status = pytest.main([*options, *alone, *(f"{_KIT}/{test}" for test in tests)], plugins=[collector])
    assert status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), shown.getvalue()
    return collector.outcomes
