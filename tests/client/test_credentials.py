"""Credentials, and where the command takes them from."""

from pathlib import Path

import httpx
import pytest

from tams_server.cli.server_credentials import credentials_of
from tams_server.client import Basic, ClientCredentials, Token, calls
from tams_server.client.errors import ApiError
from tams_server.settings import SettingsError
from tests.client.mock_servers import Async, Script, Sync

ISSUER = "https://issuer.example/token"


def flow() -> httpx.Response:
    return httpx.Response(200, json={"id": "f"})


def issued(token: str, **members: object) -> httpx.Response:
    return httpx.Response(200, json={"access_token": token, "token_type": "Bearer", **members})


@pytest.mark.parametrize("client", [Sync, Async])
def test_client_credentials_fetch_a_token_once(client: type[Sync] | type[Async]) -> None:
    script = Script(issued("one", expires_in=3600), flow(), flow())
    tams = client(script, ClientCredentials(ISSUER, "me", "pass", "tams/read"))
    tams.send(calls.flow("f"))
    tams.send(calls.flow("f"))
    first, *others = script.requests
    assert (str(first.url), first.content) == (ISSUER, b"grant_type=client_credentials&scope=tams%2Fread")
    assert first.headers["authorization"].startswith("Basic ")
    assert [each.headers["authorization"] for each in others] == ["Bearer one", "Bearer one"]


def test_client_credentials_fetch_another_token_when_one_is_not_accepted() -> None:
    script = Script(issued("one"), flow(), httpx.Response(401), issued("two"), flow())
    tams = Sync(script, ClientCredentials(ISSUER, "me", "pass"))
    tams.send(calls.flow("f"))
    tams.send(calls.flow("f"))
    assert script.requests[-1].headers["authorization"] == "Bearer two"


def test_a_token_that_expires_at_once_is_replaced() -> None:
    script = Script(issued("one", expires_in=0), flow(), issued("two", expires_in=0), flow())
    tams = Sync(script, ClientCredentials(ISSUER, "me", "pass"))
    tams.send(calls.flow("f"))
    tams.send(calls.flow("f"))
    assert script.requests[-1].headers["authorization"] == "Bearer two"


def test_an_issuer_that_gives_no_token_is_reported() -> None:
    with pytest.raises(ApiError, match=f"POST {ISSUER} returned 401"):
        Sync(Script(httpx.Response(401)), ClientCredentials(ISSUER, "me", "pass")).send(calls.flow("f"))


def test_credentials_are_read_from_variables_and_files(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("of-a-file\n")
    assert credentials_of({}, "TO_TAMS") is None
    for environ, kind, header in (
        ({"TO_TAMS_TOKEN": "abc"}, Token, "Bearer abc"),
        ({"TO_TAMS_TOKEN_FILE": str(file)}, Token, "Bearer of-a-file"),
        ({"TO_TAMS_BASIC": "me:a:b"}, Basic, "Basic bWU6YTpi"),
    ):
        found = credentials_of(environ, "TO_TAMS")
        assert type(found) is kind
        script = Script(flow())
        Sync(script, found).send(calls.flow("f"))
        assert script.requests[0].headers["authorization"] == header
    both = {"TO_TAMS_CLIENT": "me:pass", "TO_TAMS_TOKEN_URL": ISSUER}
    assert type(credentials_of(both, "TO_TAMS")) is ClientCredentials


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"FROM_TAMS_TOKEN": "a", "FROM_TAMS_BASIC": "b:c"}, "only one of FROM_TAMS_TOKEN, FROM_TAMS_BASIC"),
        ({"FROM_TAMS_BASIC": "hidden-without-a-colon"}, "FROM_TAMS_BASIC must be"),
        ({"FROM_TAMS_CLIENT": "a:b"}, "FROM_TAMS_TOKEN_URL must be"),
        ({"FROM_TAMS_TOKEN": "a", "FROM_TAMS_TOKEN_FILE": "b"}, "only one of FROM_TAMS_TOKEN and FROM_TAMS_TOKEN_FILE"),
        ({"FROM_TAMS_TOKEN_FILE": "/nowhere/at/all"}, "/nowhere/at/all cannot be read"),
    ],
)
def test_wrong_variables_are_reported_without_their_secrets(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        credentials_of(environ, "FROM_TAMS")
    assert "hidden" not in str(caught.value)
