"""Which server is tested, and a client for every test."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.kit.checker import Checker
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.server import Subject, own_server


@pytest.fixture(scope="session")
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The server named on the command line, or the project's own."""
    url = request.config.getoption("--tams-url")
    if url:
        yield Subject(url.rstrip("/"), request.config.getoption("--tams-token") or "")
        return
    with own_server(tmp_path_factory.mktemp("server")) as subject:
        yield subject


@pytest.fixture(scope="session")
def http(subject: Subject) -> Iterator[httpx.Client]:
    """A plain HTTP client with the credential, for what is not to be validated."""
    headers = {"Authorization": f"Bearer {subject.token}"} if subject.token else {}
    with httpx.Client(base_url=subject.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def tams(http: httpx.Client) -> Iterator[TamsClient]:
    """A client whose every answer is validated, and whose flows are deleted when the test is over."""
    client = TamsClient(http, Checker(http.base_url.path))
    yield client
    client.clean()
