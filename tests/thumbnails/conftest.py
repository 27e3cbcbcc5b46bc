"""A server, and a client of it."""

from collections.abc import Iterator

import pytest

from tests.api.in_process import TOKEN, Running, serving
from tests.interop.demo.client import Tams


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="package")
def service(running: Running) -> Iterator[Tams]:
    with Tams(running.url, TOKEN) as client:
        yield client
