"""Fixtures of the tests of the worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Catalog
from tests.unit.catalogs import OtherServers, World, open_world
from tests.unit.processes.worker_steps import LIMITS


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world that uses the system clock."""
    with open_world(tmp_path, LIMITS) as world:
        world.catalog = Catalog(world.engine, world.stores, LIMITS, outbound=OtherServers())
        yield world
