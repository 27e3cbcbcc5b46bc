"""Two servers in this process, shared by the tests of a module; each test has flows and a state file of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.in_process import TOKEN, serving
from tests.conformance.kit.server import ALLOWED_NETWORKS
from tests.logging_state import kept_logging
from tests.replication.pair import Pair, Tams


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tams, Tams]]:
    """Two servers with SQLite and files."""
    folder = tmp_path_factory.mktemp("servers")
    with (
        serving(folder / "from", webhook_allow=ALLOWED_NETWORKS) as origin,
        serving(folder / "to") as target,
    ):
        yield Tams(origin.url, TOKEN), Tams(target.url, TOKEN)


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    with kept_logging():
        yield


@pytest.fixture
def pair(servers: tuple[Tams, Tams], tmp_path: Path) -> Pair:
    return Pair(*servers, tmp_path)
