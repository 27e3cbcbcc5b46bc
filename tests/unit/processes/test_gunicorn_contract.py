"""The undocumented members of gunicorn and uvicorn that tams_server.processes.gunicorn_server relies on."""

import inspect
from importlib.metadata import version

import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from uvicorn.protocols.http import httptools_impl
from uvicorn_worker import UvicornWorker

TESTED = {"gunicorn": "27.", "uvicorn": "0.", "uvicorn-worker": "0."}


@pytest.mark.parametrize(("library", "prefix"), TESTED.items())
def test_versions_are_those_the_contract_was_written_for(library: str, prefix: str) -> None:
    """A new major version needs a look at the members below."""
    assert version(library).startswith(prefix)


@pytest.mark.parametrize("name", ["spawn_worker", "manage_workers", "stop"])
def test_gunicorn_master_has_the_methods_that_are_overridden(name: str) -> None:
    assert callable(getattr(Arbiter, name))


def test_gunicorn_master_spawns_workers_through_the_overridden_methods() -> None:
    assert "self.spawn_worker()" in inspect.getsource(Arbiter.spawn_workers)
    assert "self.manage_workers()" in inspect.getsource(Arbiter.run)
    assert inspect.signature(Arbiter.stop).parameters["graceful"].default is True


def test_gunicorn_master_has_the_attributes_that_are_read() -> None:
    assert isinstance(Arbiter.LISTENERS, list)
    assert all(isinstance(number, int) for number in Arbiter.SIGNALS)
    assert isinstance(inspect.getattr_static(Arbiter, "num_workers"), property)


def test_gunicorn_logger_has_two_logs() -> None:
    source = inspect.getsource(Logger)
    assert "self.error_log" in source
    assert "self.access_log" in source
    assert list(inspect.signature(Logger.setup).parameters) == ["self", "cfg"]


def test_uvicorn_worker_has_the_members_that_are_overridden() -> None:
    assert isinstance(UvicornWorker.CONFIG_KWARGS, dict)
    assert list(inspect.signature(UvicornWorker.init_signals).parameters) == ["self"]


def test_uvicorn_connection_has_the_members_that_are_used() -> None:
    connection = httptools_impl.HttpToolsProtocol
    assert list(inspect.signature(connection.on_headers_complete).parameters) == ["self"]
    assert "self.cycle is None or self.cycle.response_complete" in inspect.getsource(connection.shutdown)
    cycle = inspect.getsource(httptools_impl.RequestResponseCycle.__init__)
    assert "self.keep_alive = " in cycle
    assert "self.response_complete = " in cycle
    assert "self.loop = " in inspect.getsource(connection.__init__)
