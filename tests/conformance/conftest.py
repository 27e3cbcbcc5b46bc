"""Fixtures of the kit: the server under test, a client for each test, and a receiver of webhook events."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.checker import Checker
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.exchange_log import EXCHANGE_LOG
from tests.conformance.kit.receiver import Receiver, receiver_at
from tests.conformance.kit.report.behaviours import behaviours
from tests.conformance.kit.report.results import NOT_APPLICABLE
from tests.conformance.kit.server import Subject, own_server
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.skips import not_implemented
from tests.conformance.kit.webhooks import LISTING, Hooks
from tests.servers.plugin import deselect_cases, running_stores

SELFTEST = Path(__file__).parent / "selftest"
OWN_SETTINGS = {"TAMS_ASYNC_DELETION_THRESHOLD": "30"}
"""The threshold is low enough for the tests to see both immediate deletions and delete requests."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Abort the run if nothing responds at the URL, instead of failing in every test."""
    url = session.config.getoption("--tams-url")
    if url and not hasattr(session.config, "workerinput"):
        try:
            httpx.get(url, timeout=30)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise pytest.UsageError(f"no response from {url}: {error}") from error


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the tests of the kit itself when another server is tested."""
    return True if collection_path == SELFTEST and config.getoption("--tams-url") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip behaviours newer than the server's API version, and thin out cases as `--every` asks."""
    deselect_cases(config, items)
    version = config.getoption("--api-version")
    known = behaviours()
    for item in items:
        named = [known[id_] for mark in item.iter_markers("behaviour") for id_ in mark.args if id_ in known]
        newest = max((behaviour.since for behaviour in named), default="8.0")
        if newest > version:
            item.add_marker(pytest.mark.skip(reason=f"{NOT_APPLICABLE}introduced by TAMS {newest}"))


@pytest.fixture(scope="session")
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The server given on the command line, or the project's own."""
    url = request.config.getoption("--tams-url")
    option = request.config.getoption
    if url:
        user = option("--tams-user")
        basic = f"{user}:{option('--tams-password')}" if user else ""
        yield Subject(url.rstrip("/"), option("--tams-token") or "", basic=basic)
        return
    folder = tmp_path_factory.mktemp("server")
    with own_server(folder, OWN_SETTINGS | running_stores(request.config).settings(folder)) as subject:
        yield subject


@pytest.fixture(scope="session")
def http(subject: Subject) -> Iterator[httpx.Client]:
    """A plain HTTP client with the credential, for requests whose responses are not validated."""
    hooks = {"response": [EXCHANGE_LOG.record]}
    with httpx.Client(base_url=subject.url, headers=subject.credential, timeout=30, event_hooks=hooks) as client:
        yield client


@pytest.fixture
def tams(http: httpx.Client) -> Iterator[TamsClient]:
    """A client that validates every response and deletes the flows it made when the test ends."""
    client = TamsClient(http, Checker(http.base_url.path))
    yield client
    client.clean_up()


@pytest.fixture(scope="session")
def receiver(request: pytest.FixtureRequest, http: httpx.Client) -> Iterator[Receiver]:
    """A receiver that the server under test can send events to.

    Skips if the server has no webhooks, or if it is not known how the server can reach this machine.
    """
    if http.get(LISTING).status_code == 404:
        not_implemented("webhooks")
    option = request.config.getoption
    host = option("--webhook-receiver") or ("" if option("--tams-url") else "127.0.0.1")
    if not host:
        pytest.skip("no address was given at which the server can reach the event receiver (--webhook-receiver)")
    with receiver_at(host, Receiver) as listening:
        yield listening


@pytest.fixture(scope="session")
def event_timeout(request: pytest.FixtureRequest) -> float:
    """Seconds to wait for an event."""
    seconds: float = request.config.getoption("--webhook-patience")
    return seconds


@pytest.fixture(scope="session")
def events_arrive(http: httpx.Client, receiver: Receiver, event_timeout: float) -> None:
    """Skip if no events arrive at all, instead of waiting for them in every test."""
    with shared_client(http) as tams:
        hook = Hooks(tams, receiver, event_timeout).make("flows/created")
        flow_id = tams.make_flow()["id"]
        if not hook.wait_until(lambda: hook.events(about=flow_id)):
            pytest.skip(f"no event arrived at {receiver.url} within {event_timeout:g} s")


@pytest.fixture
def hooks(tams: TamsClient, receiver: Receiver, event_timeout: float, events_arrive: None) -> Hooks:
    """A factory of webhooks that send to the receiver and are deleted when the test ends."""
    return Hooks(tams, receiver, event_timeout)
