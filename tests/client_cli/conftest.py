"""Servers for the commands, and the commands as a user runs them: exit status, standard output, standard error."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tams_server.client_cli.main import main
from tests.client.studio import Studio, studio_of
from tests.conformance.kit.server import Subject, own_server

PROGRAM = (
    sys.executable,
    "-c",
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " from tams_server.client_cli.main import main; sys.exit(main())",
)
"""The command in a process of its own, which Ctrl-C reaches also if the tests run in the background of a shell."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did. lines: of standard output."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass(frozen=True, slots=True)
class Commands:
    """Runs commands in this process. environ: also for those that run in another."""

    capsys: pytest.CaptureFixture[str]
    environ: Mapping[str, str]

    def __call__(self, *arguments: str) -> Done:
        self.capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as error:  # of argparse
            status = int(error.code or 0)
        printed = self.capsys.readouterr()
        return Done(status, printed.out, printed.err)

    @contextmanager
    def started(self, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
        """Run a command in another process during the block, and kill it if it does not end."""
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            env=dict(self.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """A server that deletes more than two segments in the background."""
    with own_server(tmp_path_factory.mktemp("server"), {"TAMS_ASYNC_DELETION_THRESHOLD": "2"}) as subject:
        yield subject


@pytest.fixture(scope="session")
def other_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """A server to copy to."""
    with own_server(tmp_path_factory.mktemp("other")) as subject:
        yield subject


@pytest.fixture
def bare(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Commands of a user who has set up nothing."""
    import os

    for name in ("TAMS_URL", "TAMS_TOKEN", "TAMS_CONTEXT", "TAMS_CONTEXTS_FILE", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Commands(capsys, os.environ)


@pytest.fixture
def tams(bare: Commands, server: Subject, add_context: Callable[[str, str, str], None]) -> Commands:
    """Commands of a user whose context `here` is the server."""
    add_context("here", server.url, server.token)
    return bare


@pytest.fixture
def add_context(bare: Commands, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Adds a context with a token, which standard input has."""
    import io

    def add(name: str, url: str, token: str, *more: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{token}\n"))
        assert bare("context", "add", name, url, "--token", *more).status == 0

    return add


@pytest.fixture
def studio(server: Subject) -> Iterator[Studio]:
    """A flow with five segments at the server, with a label of its own."""
    import uuid

    with studio_of(server.url, server.token, f"Studio {uuid.uuid4()}") as made:
        yield made
