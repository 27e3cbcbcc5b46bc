"""Which server is tested, and a client for every test."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.checker import Checker
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.report.behaviours import behaviours
from tests.conformance.kit.report.results import NOT_APPLICABLE
from tests.conformance.kit.server import Subject, own_server
from tests.conformance.kit.trail import TRAIL

SELFTEST = Path(__file__).parent / "selftest"
OWN_SETTINGS = {"TAMS_ASYNC_DELETION_THRESHOLD": "50"}
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
    """Leave out what came after the version that the server is of."""
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
    with own_server(tmp_path_factory.mktemp("server"), OWN_SETTINGS) as subject:
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
