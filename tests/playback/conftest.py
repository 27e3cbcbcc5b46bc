"""A server for the tests of playlists."""

from collections.abc import Iterator

import pytest

from tests.api.in_process import Running, serving


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server
