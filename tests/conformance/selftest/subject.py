"""The project's own server in this process, on a port of its own, with a fault to be switched on and off."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from tams_server.app import create_app
from tams_server.settings import Settings
from tams_server.wiring import prepare
from tests.conformance.kit.polling import until
from tests.conformance.kit.server import Subject, free_port
from tests.conformance.selftest.faults import Fault
from tests.conformance.selftest.wrapper import FaultyApplication

_TOKEN = "a-token-with-all-rights"


@dataclass(frozen=True, slots=True)
class FaultySubject:
    subject: Subject
    app: FaultyApplication

    @contextmanager
    def having(self, fault: Fault | None) -> Iterator[Subject]:
        """The server with this fault until the block ends."""
        self.app.fault = fault
        try:
            yield self.subject
        finally:
            self.app.fault = None


@contextmanager
def faulty_server(folder: Path) -> Iterator[FaultySubject]:
    """Serve from `folder` until the block ends, at first without a fault."""
    settings = Settings(data_dir=folder, bootstrap_token=_TOKEN)
    prepare(settings)
    app = FaultyApplication(create_app(settings))
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, "127.0.0.1", port, lifespan="on", access_log=False, server_header=False, log_config=None)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive(), "the server to start", timeout_s=30)
        assert server.started
        yield FaultySubject(Subject(f"http://127.0.0.1:{port}", _TOKEN), app)
    finally:
        server.should_exit = True
        thread.join(30)
