"""Fixtures: a server to fuzz, a receiver for its events, and a summary of the cases (if tests/fuzz itself is run)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.kit.receiver import Delivery, Receiver, Reply, receiver_at
from tests.conformance.kit.server import Subject
from tests.fuzz.checked_server import checked_server
from tests.fuzz.fuzzer import SETTINGS, Fuzzer, Tally, fuzzer

_TALLY = "tally"
_totals: Tally = {}


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The project's own server. Never another one, because the tests may destroy any data."""
    with checked_server(tmp_path_factory.mktemp("fuzzed"), SETTINGS) as subject:
        yield subject


class Sink(Receiver):
    """Accepts all events and keeps none."""

    def receive(self, path: str, delivery: Delivery) -> Reply:
        return Reply()


@pytest.fixture(scope="session")
def receiver_url() -> Iterator[str]:
    """The URL of all webhooks, so that no event leaves this machine."""
    with receiver_at("127.0.0.1", Sink) as sink:
        yield f"{sink.url}/"


@pytest.fixture
def fuzz(subject: Subject, receiver_url: str, request: pytest.FixtureRequest) -> Iterator[Fuzzer]:
    """A fuzzer with its own resources, so that tests do not affect each other."""
    with fuzzer(subject, request.node.name, receiver_url) as one:
        yield one
    request.node.user_properties.append((_TALLY, {label: dict(counts) for label, counts in one.tally.items()}))


@pytest.fixture
def productive_fuzz(fuzz: Fuzzer) -> Iterator[Fuzzer]:
    """Like `fuzz`, but each operation must have succeeded at least once: errors alone prove little."""
    yield fuzz
    assert fuzz.failed or not fuzz.never_succeeded()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        properties: dict[str, Any] = dict(report.user_properties)
        for label, counts in properties.get(_TALLY, {}).items():
            for status, count in counts.items():
                _totals.setdefault(label, Counter())[int(status)] += count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _totals:
        return
    terminalreporter.section(f"{sum(map(Counter.total, _totals.values()))} cases, by operation")
    for label, counts in sorted(_totals.items()):
        done = sum(count for status, count in counts.items() if status < 300) / counts.total()
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(counts.items()))
        terminalreporter.line(f"{label:<50} {counts.total():>6} cases, {done:>4.0%} successful ({statuses})")
