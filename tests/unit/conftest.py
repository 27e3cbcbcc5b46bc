"""The application in process, with handlers that record their calls (`stub`), over files in a temporary folder."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tams_server.app import Application, create_app, read_specification
from tams_server.settings import Settings
from tams_server.specification.load import Specification
from tams_server.wiring import prepare

from .stub_handlers import StubHandlers

TOKEN = "token-of-the-tests"


class Client:
    """A synchronous client of an ASGI application, with a token that has every scope."""

    def __init__(self, app: Application, stub: StubHandlers) -> None:
        self.app = app
        self.stub = stub
        self._runner = asyncio.Runner()
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://tams.test",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    def request(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        return self._runner.run(self._http.request(method, url, **kwargs))

    def get(self, url: str, **kwargs: Any) -> httpx.Response:
        return self.request("GET", url, **kwargs)

    def raw(self, path: bytes, query: bytes = b"") -> tuple[int, bytes]:
        """GET a path and query as raw bytes, which an HTTP client would encode. Returns status and body."""
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": path.decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "headers": [(b"authorization", f"Bearer {TOKEN}".encode())],
        }
        self._runner.run(self.app(scope, receive, send))
        return messages[0]["status"], messages[1]["body"]

    def without_credentials(self, method: str, url: str, **kwargs: Any) -> httpx.Response:
        request = self._http.build_request(method, url, **kwargs)
        if "authorization" not in {name.lower() for name in kwargs.get("headers", {})}:
            del request.headers["Authorization"]
        return self._runner.run(self._http.send(request))

    def run(self, coroutine: Any) -> Any:
        return self._runner.run(coroutine)

    def close(self) -> None:
        self._runner.run(self._http.aclose())
        self.app.process.stop()
        self._runner.close()


@pytest.fixture(scope="session")
def specification() -> Specification:
    return read_specification(Settings())


@pytest.fixture(scope="session")
def shared_client(specification: Specification, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One application for all tests without settings of their own, which use it through `client` and `stub`."""
    handlers = StubHandlers(specification.operations, "recording_handlers")
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), bootstrap_token=TOKEN)
    prepare(settings)
    client = Client(create_app(settings, handlers=handlers.package), handlers)
    yield client
    client.close()
    handlers.remove()


@pytest.fixture
def client(shared_client: Client) -> Client:
    shared_client.stub.reset()
    return shared_client


@pytest.fixture
def stub(client: Client) -> StubHandlers:
    return client.stub


@pytest.fixture
def make_client(specification: Specification, tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Make applications with the settings given."""
    clients: list[Client] = []

    def make(**settings: Any) -> Client:
        handlers = StubHandlers(specification.operations, f"recording_handlers_{len(clients)}")
        chosen = Settings(**{"data_dir": tmp_path, "bootstrap_token": TOKEN, **settings})
        prepare(chosen)
        clients.append(Client(create_app(chosen, handlers=handlers.package), handlers))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
        client.stub.remove()
