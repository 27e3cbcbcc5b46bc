"""The undocumented members of gunicorn and uvicorn that gunicorn_server and connection rely on."""

import asyncio
import inspect
import os
import re
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from gunicorn import arbiter, systemd
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.sock import BaseSocket
from gunicorn.systemd import listen_fds
from gunicorn.util import parse_address
from uvicorn import Config, Server
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn_worker import UvicornWorker

from tams_server.processes import gunicorn_server
from tams_server.processes.gunicorn_server import _Worker

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


def test_a_serving_process_reports_that_it_is_alive_after_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the master kills it."""
    moments, reports = [2_000_000.0, 2_000_001.0, 1_000_000.0, 1_000_001.0], []

    async def report() -> None:
        reports.append(True)

    assert _Worker.CONFIG_KWARGS["timeout_notify"] < -1_000_000
    config = Config("no:app", callback_notify=report, timeout_notify=_Worker.CONFIG_KWARGS["timeout_notify"])
    config.encoded_headers = []
    server = Server(config)
    monkeypatch.setattr("uvicorn.server.time", SimpleNamespace(time=iter(moments).__next__))
    for _ in moments:
        asyncio.run(server.on_tick(0))
    assert len(reports) == len(moments)


def test_gunicorn_listens_on_a_socket_that_is_bound_already() -> None:
    assert parse_address("fd://7") == 7
    assert "sock.listen(" in inspect.getsource(BaseSocket.set_options)


def test_gunicorn_takes_over_no_socket_that_was_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("LISTEN_PID", "LISTEN_FDS", "GUNICORN_PID", "GUNICORN_FD")
    for name in names:
        monkeypatch.setenv(name, str(os.getpid()))
    found: list[tuple[int, bool]] = []

    def start(_app: object) -> SimpleNamespace:
        return SimpleNamespace(run=lambda: found.append((listen_fds(), "GUNICORN_PID" in os.environ)))

    monkeypatch.setattr(gunicorn_server, "_Arbiter", start)
    gunicorn_server._Gunicorn.run(SimpleNamespace())  # type: ignore[arg-type]
    assert found == [(0, False)]
    read = inspect.getsource(arbiter) + inspect.getsource(systemd)
    assert set(re.findall(r"'([A-Z]+_(?:PID|FDS?))'", read)) == set(names)


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


def test_uvicorn_creates_parsers_as_connections_do_after_a_body_read_from_the_socket() -> None:
    created = inspect.getsource(HttpToolsProtocol.__init__)
    assert "self.parser = httptools.HttpRequestParser(self)" in created
    assert re.findall(r"set_\w+\(.*\)", created) == ["set_dangerous_leniencies(lenient_data_after_close=True)"]


def test_uvicorn_flow_control_has_the_members_that_are_used() -> None:
    for name in ("drain", "pause_reading", "resume_reading"):
        assert list(inspect.signature(getattr(FlowControl, name)).parameters) == ["self"]
    assert "self.flow.resume_reading()" in inspect.getsource(HttpToolsProtocol.on_response_complete)


def test_uvicorn_cycle_has_the_members_that_are_used() -> None:
    created = inspect.getsource(RequestResponseCycle.__init__)
    for name in ("transport", "keep_alive", "disconnected", "message_event", "more_body", "waiting_for_100_continue"):
        assert f"self.{name} = " in created
    assert "self.body = bytearray()" in created
    assert "self.expected_content_length = 0" in created
    assert "await app(  # type: ignore[func-returns-value]\n                self.scope, self.receive, self.send" in (
        inspect.getsource(RequestResponseCycle.run_asgi)
    )
    for name in ("response_started", "response_complete"):
        assert f"self.{name} = False" in created
    used = inspect.getsource(RequestResponseCycle)
    assert set(re.findall(r"self\.transport\.(\w+)", used)) == {"write", "close", "is_closing"}
