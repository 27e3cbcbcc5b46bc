"""The whole application in this process, over a folder and on a port of its own, so that a test can see behind it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from storage.catalog import Catalog
from tams_server.app import create_app
from tams_server.processes.connection import Connection
from tams_server.settings import Settings
from tams_server.specification.load import Specification
from tams_server.wiring import Parts, prepare
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import free_port

TOKEN = "a-token-with-all-rights"


@dataclass(frozen=True, slots=True)
class Running:
    """A running server. client: with all scopes. catalog, specification: those of the server."""

    url: str
    client: httpx.Client
    catalog: Catalog
    specification: Specification

    def with_scopes(self, *scopes: str) -> httpx.Client:
        """Return a client with a new token that has these scopes."""
        return self.bearer(self.catalog.credentials.add_token(f"only {' '.join(scopes)}", scopes))

    def bearer(self, token: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def stranger(self) -> httpx.Client:
        """Return a client without a credential."""
        return httpx.Client(base_url=self.url, timeout=30)


@contextmanager
def serving(folder: Path, parts: Callable[[Settings], Parts] | None = None, **settings: Any) -> Iterator[Running]:
    """Serve from `folder` until the block ends.

    settings: in addition to those of every test. parts: opens the catalogue and the stores, if not as the settings say.
    """
    defaults = {"data_dir": folder, "bootstrap_token": TOKEN, "fail_on_bad_answer": True}
    chosen = Settings(**{**defaults, **settings})
    prepare(chosen)
    app = create_app(chosen, parts=None if parts is None else partial(parts, chosen))
    port = free_port()
    # As in tams_server.processes.gunicorn_server, except that logging is left to the test.
    config = uvicorn.Config(
        app,
        "127.0.0.1",
        port,
        http=Connection,
        lifespan="on",
        timeout_keep_alive=75,  # longer than clients keep connections that are idle
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_config=None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), "the server to start", timeout_s=30)
        assert server.started
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as client:
            yield Running(url, client, app.process.parts.catalog, app.specification)
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def serving_with_classes(folder: Path) -> Iterator[Running]:
    """As `serving`, with rules on classes in force. The embedded backend has the class news_read."""
    rules = folder / "rules.yaml"
    rules.write_text("embedded_backend_classes: [news_read]\n")
    with serving(folder, authorisation="classes", authorisation_rules=rules) as running:
        yield running
