"""A server to be fuzzed, a receiver for its events, and the tally of what was sent (where tests/fuzz itself is run)."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.conformance.kit.receiver import Delivery, Receiver, Reply, receiver_at
from tests.conformance.kit.server import Subject
from tests.fuzz.fuzzer import SETTINGS, Fuzzer, Tally, fuzzer
from tests.fuzz.watched import watched_server

_TALLY = "tally"
_totals: Tally = {}


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The project's own server; never another, since nothing on it is safe."""
    with watched_server(tmp_path_factory.mktemp("fuzzed"), SETTINGS) as subject:
        yield subject


class Sink(Receiver):
    """Takes everything and keeps nothing."""

    def take(self, path: str, delivery: Delivery) -> Reply:
        return Reply()


@pytest.fixture(scope="session")
def receiver_url() -> Iterator[str]:
    """Where all webhooks lead: no event leaves this machine."""
    with receiver_at("127.0.0.1", Sink) as sink:
        yield f"{sink.url}/"


@pytest.fixture
def fuzz(subject: Subject, receiver_url: str, request: pytest.FixtureRequest) -> Iterator[Fuzzer]:
    """A fuzzer in a world of its own, so that no test sees what another left."""
    with fuzzer(subject, request.node.name, receiver_url) as one:
        yield one
    request.node.user_properties.append((_TALLY, {label: dict(counts) for label, counts in one.tally.items()}))


@pytest.fixture
def searching_fuzz(fuzz: Fuzzer) -> Iterator[Fuzzer]:
    """As `fuzz`, and what was tried must have been done at least once: refusals alone show little."""
    yield fuzz
    assert fuzz.failed or not fuzz.never_done()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        for name, tally in report.user_properties:
            if name == _TALLY:
                for label, counts in tally.items():
                    for status, count in counts.items():
                        _totals.setdefault(label, Counter())[int(status)] += count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _totals:
        return
    terminalreporter.section(f"{sum(map(Counter.total, _totals.values()))} cases, by operation")
    for label, counts in sorted(_totals.items()):
        done = sum(count for status, count in counts.items() if status < 300) / counts.total()
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(counts.items()))
        terminalreporter.line(f"{label:<50} {counts.total():>6} cases, {done:>4.0%} done ({statuses})")
