"""F21: the servers that a user of `tams` works with, and which of them a command uses."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tams_server.client_cli.context import Context
from tams_server.client_cli.contexts_file import Server
from tams_server.client_cli.output import Output
from tams_server.settings import load_settings
from tests.client_cli.conftest import Commands

URL = "https://tams.example/api"
Add = Callable[..., None]


def servers_of(bare: Commands, name: str = "") -> Server:
    return Context(bare.environ, Output()).server(name)


def test_the_first_context_is_used_and_the_last_one_added_then(bare: Commands, add_context: Add) -> None:
    add_context("one", URL + "/", "secret-1")
    assert servers_of(bare) == Server(URL, token="secret-1")
    add_context("two", "http://localhost:4010", "secret-2", "--keep")
    assert servers_of(bare).url == URL
    assert bare("context", "use", "two").status == 0
    assert servers_of(bare).token == "secret-2"
    listed = bare("context", "list")
    assert [line.split()[:3] for line in listed.lines[1:]] == [
        ["one", URL, "token"],
        ["*", "two", "http://localhost:4010"],
    ]
    assert bare("context", "list", "-o", "id").lines == ["one", "two"]
    assert "secret" not in listed.out + listed.err + bare("context", "list", "-o", "json").out


def test_only_the_owner_can_read_the_file(bare: Commands, add_context: Add, tmp_path: Path) -> None:
    add_context("one", URL, "secret")
    path = tmp_path / "config" / "tams" / "contexts.json"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [each.name for each in path.parent.iterdir()] == ["contexts.json"]


def test_a_removed_context_is_gone_with_its_secret(bare: Commands, add_context: Add, tmp_path: Path) -> None:
    add_context("one", URL, "secret")
    assert bare("context", "remove", "one").status == 0
    assert "secret" not in (tmp_path / "config" / "tams" / "contexts.json").read_text()
    assert bare("context", "remove", "one").status == 3
    assert bare("ls", "flows").status == 2


def test_users_and_clients_sign_in_by_their_secrets(bare: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("of-anna\nof-robot\n"))
    bare("context", "add", "a", URL, "--user", "anna")
    bare("context", "add", "b", URL, "--client-id", "robot", "--token-url", "https://issuer.example", "--scope", "x y")
    assert servers_of(bare, "a") == Server(URL, user="anna", password="of-anna")
    expected = Server(URL, client_id="robot", client_secret="of-robot", token_url="https://issuer.example", scope="x y")
    assert servers_of(bare, "b") == expected
    assert all(isinstance(servers_of(bare, name).credentials, httpx.Auth) for name in "ab")
    assert "of-robot" not in repr(expected) + expected.sign_in


def test_variables_replace_the_context_in_use(
    bare: Commands, add_context: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_context("one", URL, "of-one")
    add_context("two", "https://two.example", "of-two", "--keep")
    monkeypatch.setenv("TAMS_CONTEXT", "two")
    assert servers_of(bare).token == "of-two"
    monkeypatch.setenv("TAMS_TOKEN", "of-variable")
    assert servers_of(bare) == Server("https://two.example", token="of-variable")
    assert servers_of(bare, "one") == Server(URL, token="of-one"), "--context takes precedence"
    monkeypatch.setenv("TAMS_URL", "https://three.example")
    assert servers_of(bare) == Server("https://three.example", token="of-variable")
    monkeypatch.delenv("TAMS_TOKEN")
    assert servers_of(bare).credentials is None, "credentials of a context go to its own URL only"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", "localhost:4010"), "must be a URL with http"),
        (("x", "http://anna:secret@localhost"), "must not contain a user"),
        (("x", URL, "--client-id", "robot"), "--client-id needs --token-url"),
        (("x", URL, "--token", "--user", "anna"), "not allowed with"),
        (("x", URL, "--token"), "nothing was given"),
    ],
)
def test_wrong_contexts_are_rejected(
    bare: Commands, arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    done = bare("context", "add", *arguments)
    assert (done.status, message in done.err) == (2, True), done.err


def test_the_server_does_not_warn_of_variables_of_the_command_line() -> None:
    mine = {"TAMS_URL": URL, "TAMS_TOKEN": "x", "TAMS_CONTEXT": "y", "TAMS_CONTEXTS_FILE": "z", "TAMS_OTHER": ""}
    assert load_settings(mine).unknown == ("TAMS_OTHER",)


def test_a_damaged_file_is_reported(bare: Commands, add_context: Add, tmp_path: Path) -> None:
    add_context("one", URL, "secret")
    (tmp_path / "config" / "tams" / "contexts.json").write_text(json.dumps({"contexts": {"one": {"uri": URL}}}))
    done = bare("ls", "flows")
    assert (done.status, "is not a file of contexts" in done.err) == (1, True)


def test_without_a_server_the_error_says_what_to_do(bare: Commands) -> None:
    done = bare("ls", "flows")
    assert (done.status, done.out) == (2, "")
    assert done.err == "tams: no server is set up: tams context add NAME URL --token, or set TAMS_URL and TAMS_TOKEN\n"
