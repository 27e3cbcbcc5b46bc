"""Which server is tested, and a client for every test."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.checker import Checker
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.receiver import Receiver, receiver_at
from tests.conformance.kit.report.behaviours import behaviours
from tests.conformance.kit.report.results import NOT_APPLICABLE
from tests.conformance.kit.server import Subject, own_server
from tests.conformance.kit.shared import lasting_client
from tests.conformance.kit.skips import not_implemented
from tests.conformance.kit.trail import TRAIL
from tests.conformance.kit.webhooks import LISTING, Hooks
from tests.servers.plugin import stores_of, thin_out

SELFTEST = Path(__file__).parent / "selftest"
OWN_SETTINGS = {"TAMS_ASYNC_DELETION_THRESHOLD": "30"}
"""Low enough for the tests to see both kinds of deletion."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Stop at once where nothing answers at the URL, rather than in every test."""
    url = session.config.getoption("--tams-url")
    if url and not hasattr(session.config, "workerinput"):
        try:
            httpx.get(url, timeout=30)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise pytest.UsageError(f"no answer from {url}: {error}") from error


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Against another server, leave out the tests of the kit itself."""
    return True if collection_path == SELFTEST and config.getoption("--tams-url") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what came after the version that the server is of, and cases that are not asked for."""
    thin_out(config, items)
    version = config.getoption("--api-version")
    known = behaviours()
    for item in items:
        named = [known[id_] for mark in item.iter_markers("behaviour") for id_ in mark.args if id_ in known]
        newest = max((behaviour.since for behaviour in named), default="8.0")
        if newest > version:
            item.add_marker(pytest.mark.skip(reason=f"{NOT_APPLICABLE}came with TAMS {newest}"))


@pytest.fixture(scope="session")
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The server named on the command line, or the project's own."""
    url = request.config.getoption("--tams-url")
    if url:
        option = request.config.getoption
        user = option("--tams-user")
        basic = f"{user}:{option('--tams-password')}" if user else ""
        yield Subject(url.rstrip("/"), option("--tams-token") or "", basic=basic)
        return
    folder = tmp_path_factory.mktemp("server")
    with own_server(folder, OWN_SETTINGS | stores_of(request.config).settings(folder)) as subject:
        yield subject


@pytest.fixture(scope="session")
def http(subject: Subject) -> Iterator[httpx.Client]:
    """A plain HTTP client with the credential, for what is not to be validated."""
    hooks = {"response": [TRAIL.note]}
    with httpx.Client(base_url=subject.url, headers=subject.credential, timeout=30, event_hooks=hooks) as client:
        yield client


@pytest.fixture
def tams(http: httpx.Client) -> Iterator[TamsClient]:
    """A client whose every answer is validated, and whose flows are deleted when the test is over."""
    client = TamsClient(http, Checker(http.base_url.path))
    yield client
    client.clean()


@pytest.fixture(scope="session")
def receiver(request: pytest.FixtureRequest, http: httpx.Client) -> Iterator[Receiver]:
    """Where the server under test can send events to. Skips where it has no webhooks, or no way to the kit is known."""
    if http.get(LISTING).status_code == 404:
        not_implemented("webhooks")
    option = request.config.getoption
    host = option("--webhook-receiver") or ("" if option("--tams-url") else "127.0.0.1")
    if not host:
        pytest.skip("no address was given at which the server can reach a receiver of events (--webhook-receiver)")
    with receiver_at(host) as listening:
        yield listening


@pytest.fixture(scope="session")
def patience(request: pytest.FixtureRequest) -> float:
    """How long to wait for an event, in seconds."""
    seconds: float = request.config.getoption("--webhook-patience")
    return seconds


@pytest.fixture(scope="session")
def reached(http: httpx.Client, receiver: Receiver, patience: float) -> None:
    """Leaves tests out where events do not arrive at all, rather than wait for them in every one."""
    with lasting_client(http) as tams:
        hook = Hooks(tams, receiver, patience).make("flows/created")
        flow_id = tams.make_flow()["id"]
        if not hook.hears(lambda: hook.events(about=flow_id)):
            pytest.skip(f"no event came to {receiver.url} within {patience:g} s")


@pytest.fixture
def hooks(tams: TamsClient, receiver: Receiver, patience: float, reached: None) -> Hooks:
    """Makes webhooks that send to the receiver, deleted when the test is over."""
    return Hooks(tams, receiver, patience)
