"""A server of each engine for the client, started once for a module."""

from collections.abc import Iterator

import pytest

from tests.conformance.kit.server import own_server
from tests.servers.stores import running

ENGINES = ("sqlite", "postgresql", "vast-statement")


@pytest.fixture(scope="module", params=ENGINES)
def any_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """URL and token of a server with this catalogue and files."""
    folder = tmp_path_factory.mktemp(f"client-{request.param}")
    with running(request.param, "files") as stores, own_server(folder, stores.settings(folder)) as subject:
        yield subject.url, subject.token
