"""What no server can be sent, and output that cannot be written, end a command with one line and no traceback (F21)."""

import os
import subprocess
from pathlib import Path

import pytest

from tams_server.client import Client
from tams_server.client_cli.context import Context
from tams_server.client_cli.contexts_file import Server
from tams_server.client_cli.output import Output
from tests.client.studio import Studio
from tests.client_cli.conftest import PROGRAM, Commands
from tests.conformance.kit.server import Subject

NO_UNICODE = os.fsdecode(b"caf\xe9")
"""An argument as a terminal of Latin-1 sends it."""


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "flows", "--label", NO_UNICODE),
        ("show", NO_UNICODE),
        ("tag", "set", "FLOW", f"{NO_UNICODE}=x"),
        ("tag", "set", "FLOW", f"x={NO_UNICODE}"),
        ("tag", "set", "FLOW", f"{'x' * 70_000}=x"),
    ],
)
def test_what_cannot_be_sent_is_said(arguments: tuple[str, ...], tams: Commands, studio: Studio) -> None:
    done = tams(*(studio.flow_id if each == "FLOW" else each for each in arguments))
    assert done.status == 1
    assert done.err.startswith("tams: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"), [("TAMS_URL", "http://host\nname"), ("TAMS_URL", "ftp://host"), ("TAMS_TOKEN", "secret-part\n")]
)
def test_a_wrong_setting_is_said_without_the_secret(
    name: str, value: str, bare: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMS_URL", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    done = bare("ls", "flows")
    assert done.status == 1
    assert "secret-part" not in done.err
    assert done.err.count("\n") == 1


def test_a_password_in_a_url_is_used_and_not_shown(
    bare: Commands, server: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMS_URL", server.url.replace("://", "://ann:secret-part@"))
    assert Context(bare.environ, Output()).server() == Server(server.url, user="ann", password="secret-part")
    with Client(bare.environ["TAMS_URL"]) as client:
        assert client.url == server.url
    for command in ("doctor", "version"):
        assert "secret-part" not in f"{bare(command)}"


def test_output_that_cannot_be_written_is_an_error_in_one_line(tams: Commands, studio: Studio) -> None:
    command, environ = [*PROGRAM, "-q", "show", studio.flow_id, "-o", "json"], dict(tams.environ)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environ)
    assert (done.returncode, done.stderr) == (1, "tams: [Errno 28] No space left on device\n")
    shell = 'exec "$@" >&- <&-'
    done = subprocess.run(["sh", "-c", shell, "sh", *command], stderr=subprocess.PIPE, text=True, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    ascii_only = {**environ, "PYTHONIOENCODING": "ascii"}
    label = tams("tag", "set", studio.flow_id, "name=\u524d")
    assert label.status == 0
    done = subprocess.run(command, capture_output=True, text=True, env=ascii_only)
    assert done.returncode == 1
    assert done.stderr.startswith("tams: the output cannot be encoded: ")
