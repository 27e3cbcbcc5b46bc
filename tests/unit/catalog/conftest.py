"""Fixtures of the catalogue's tests: a catalogue on a controlled clock, and what many tests begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Limits
from tams_server.specification.load import Specification
from tests.conformance.kit.documents import flow
from tests.unit.catalog.copy_steps import URL
from tests.unit.catalogs import CALLER, World, open_world
from tests.unit.event_recorder import EventRecorder


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A catalogue with the LIMITS of the test's module, by default those of the server."""
    with open_world(tmp_path, getattr(request.module, "LIMITS", Limits())) as world:
        yield world


@pytest.fixture
def recorder(world: World, specification: Specification) -> EventRecorder:
    return EventRecorder.start(world, specification)


@pytest.fixture
def made(world: World, recorder: EventRecorder) -> str:
    """A flow whose creation has been reported already."""
    flow_id = world.make_flow(flow(tags={"kept": "yes"}))
    recorder.new_events()
    return flow_id


@pytest.fixture
def source(world: World, made: str) -> str:
    """The id of the source of `made`."""
    source_id: str = world.catalog.flows.get(CALLER, made)["source_id"]
    return source_id


@pytest.fixture
def webhook(world: World) -> str:
    """A webhook for the events of new flows."""
    return world.add_webhook("flows/created")


@pytest.fixture
def placed(world: World) -> str:
    """The id of a registered object on the default backend."""
    world.add_object(world.make_flow(), "a")
    return "a"


@pytest.fixture
def outside(world: World) -> str:
    """The id of an object whose only instance is a URL on another server."""
    segment = {"object_id": "x", "timerange": "[0:0_1:0)", "get_urls": [{"url": URL, "label": "elsewhere"}]}
    assert world.register(world.make_flow(), segment) == []
    return "x"
