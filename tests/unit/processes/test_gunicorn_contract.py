"""The undocumented members of gunicorn and uvicorn that gunicorn_server and connection rely on."""

import inspect
import re
from importlib.metadata import version

import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.sock import BaseSocket
from gunicorn.util import parse_address
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
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


def test_gunicorn_listens_on_a_socket_that_is_bound_already() -> None:
    assert parse_address("fd://7") == 7
    assert "sock.listen(" in inspect.getsource(BaseSocket.set_options)


def test_uvicorn_connection_has_the_members_that_are_used() -> None:
    connection = HttpToolsProtocol
    for name in ("connection_made", "connection_lost", "data_received", "on_message_begin", "on_url", "on_header"):
        assert callable(getattr(connection, name))
    assert list(inspect.signature(connection.on_headers_complete).parameters) == ["self"]
    assert list(inspect.signature(connection._start_asgi_task).parameters) == ["self", "cycle", "app"]
    assert "self.cycle is None or self.cycle.response_complete" in inspect.getsource(connection.shutdown)
    created = inspect.getsource(connection.__init__)
    for name in ("loop", "parser", "pipeline", "cycle", "flow", "headers", "logger", "access_logger", "asgi_version"):
        assert f"self.{name}" in created
    assert "self.pipeline.appendleft((self.cycle, app))" in inspect.getsource(connection.on_headers_complete)
    assert "self.pipeline.pop()" in inspect.getsource(connection.on_response_complete)


def test_uvicorn_cycle_has_the_members_that_are_used() -> None:
    created = inspect.getsource(RequestResponseCycle.__init__)
    for name in ("transport", "keep_alive", "disconnected", "message_event", "more_body"):
        assert f"self.{name} = " in created
    for name in ("response_started", "response_complete"):
        assert f"self.{name} = False" in created
    used = inspect.getsource(RequestResponseCycle)
    assert set(re.findall(r"self\.transport\.(\w+)", used)) == {"write", "close", "is_closing"}
