"""One server in this process for all tests, files that are encoded once, and `tams` as a function."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storage.timerange import parse_timerange
from tams_server.client import Client, Token, calls
from tams_server.client_cli.main import main
from tests.api.in_process import TOKEN, serving
from tests.logging_state import kept_logging

from . import media_files


@dataclass
class Tams:
    """The `tams` command for one server, and a client of it."""

    url: str
    client: Client
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: object, status: int = 0) -> str:
        """Run a command, and return its standard output."""
        self.capture.readouterr()
        found = main([str(each) for each in arguments])
        result = self.capture.readouterr()
        assert found == status, result.err
        self.err = result.err
        return result.out

    def json(self, *arguments: object) -> Any:
        """Run a command, and return what it prints as JSON."""
        return json.loads(self.run(*arguments, "-o", "json"))

    def ingest(self, *arguments: object) -> dict[str, str]:
        """Ingest, and return the ids of flows by format."""
        return {each["format"]: each["id"] for each in self.json("ingest", *arguments)}

    def segments(self, flow_id: str) -> list[Mapping[str, Any]]:
        """All segments of a flow, without URLs."""
        return list(self.client.iterate(calls.segments(flow_id, with_urls=False, include_object_timerange="true")))

    def spans(self, flow_id: str) -> list[tuple[int, int]]:
        """The timeranges of the segments of a flow, in ns."""
        return [parse_timerange(each["timerange"]).bounds for each in self.segments(flow_id)]


@pytest.fixture(scope="package")  # later tests look at the sockets and logs of this process
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running.url


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of encoded files."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture
def h264(files: Path) -> Path:
    return media_files.make(files, media_files.H264)


@pytest.fixture
def tams(server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Tams]:
    monkeypatch.setenv("TAMS_URL", server)
    monkeypatch.setenv("TAMS_TOKEN", TOKEN)
    with Client(server, Token(TOKEN)) as client:
        yield Tams(server, client, capsys)


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    with kept_logging():
        yield
