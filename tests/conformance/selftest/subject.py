"""The project's own server, in this process, with a fault that can be switched on and off."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from tams_server.app import create_app
from tams_server.settings import Settings
from tams_server.wiring import prepare
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.receiver import receiver_at
from tests.conformance.kit.server import ALLOWED_NETWORKS, Subject, free_port
from tests.conformance.selftest.faults import Fault
from tests.conformance.selftest.relay import Relay
from tests.conformance.selftest.wrapper import FaultyApplication

_TOKEN = "a-token-with-all-rights"


@dataclass(frozen=True, slots=True)
class FaultySubject:
    """A running server, its application, and the relay of its events."""

    subject: Subject
    app: FaultyApplication
    relay: Relay

    @contextmanager
    def having(self, fault: Fault | None) -> Iterator[Subject]:
        """Switch on this fault until the block ends."""
        self.app.fault = self.relay.fault = fault
        try:
            yield self.subject
        finally:
            self.app.fault = self.relay.fault = None


@contextmanager
def faulty_server(folder: Path) -> Iterator[FaultySubject]:
    """Serve from `folder` until the block ends, initially without a fault."""
    settings = Settings(data_dir=folder, bootstrap_token=_TOKEN, webhook_allow=ALLOWED_NETWORKS)
    prepare(settings)
    port = free_port()
    with receiver_at("127.0.0.1", Relay) as relay, _worker(folder):
        app = FaultyApplication(create_app(settings), relay)
        server = uvicorn.Server(
            uvicorn.Config(
                app, "127.0.0.1", port, lifespan="on", access_log=False, server_header=False, log_config=None
            )
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive(), "the server to start", timeout_s=30)
            assert server.started
            yield FaultySubject(Subject(f"http://127.0.0.1:{port}", _TOKEN), app, relay)
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def _worker(folder: Path) -> Iterator[None]:
    """Run a worker on the same folder, in its own process."""
    settings = {"TAMS_WEBHOOK_ALLOW": ALLOWED_NETWORKS, "TAMS_WORKER_INTERVAL": "0.05"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAMS_")}
    command = [sys.executable, "-m", "tams_server", "worker", "--data-dir", str(folder)]
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(command, env={**environment, **settings}, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)
