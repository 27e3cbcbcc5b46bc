"""Runs of single tests of the kit inside this process, and what came of each test."""

import io
from collections.abc import Generator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from openapi_core.exceptions import OpenAPIError

from tests.conformance.kit.server import Subject

FINDINGS = (AssertionError, OpenAPIError)
"""What a test raises when an answer is not as it must be; the second one comes of validating it."""

PATIENCE_S = 8
"""How long to wait for events, which come at once here, or not at all for a fault."""

_KIT = Path(__file__).parents[1]
_ROOT = _KIT.parents[1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """passed: in all its phases. found: the test itself, not its set-up, says what is wrong with an answer."""

    test: str
    behaviours: frozenset[str]
    passed: bool
    found: bool
    told: str


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
            told = f"{report.when}: {report.longreprtext}"
            self.outcomes.append(Outcome(item.nodeid, named, report.passed, found, told))
        return report


def run_kit(subject: Subject, tests: Sequence[str]) -> list[Outcome]:
    """Run tests of the kit ("test_x.py::test_y", with or without the parameters) against a server."""
    collector = _Collector()
    options = ["--tams-url", subject.url, "--tams-token", subject.token, "--rootdir", str(_ROOT)]
    options += ["--webhook-receiver", "127.0.0.1", "--webhook-patience", str(PATIENCE_S)]
    # The timeout of the outer run holds: its signal must not be taken over. Hunting for unraisable exceptions is slow.
    without = ("cacheprovider", "xdist", "faulthandler", "unraisableexception")
    alone = ["--timeout", "0", "-q", "-s", *(f"-pno:{plugin}" for plugin in without)]
    shown = io.StringIO()
    with redirect_stdout(shown):
        status = pytest.main([*options, *alone, *(f"{_KIT}/{test}" for test in tests)], plugins=[collector])
    assert status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), shown.getvalue()
    return collector.outcomes
