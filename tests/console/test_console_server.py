"""The console of a running server: who may see what, behind a prefix, and what it tells before sign-in."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.in_process import TOKEN, Running, serving

ISSUER = "https://sso.example.org/realms/media"
BASE = "/tams/v8.2"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    options: dict[str, Any] = {
        "jwt_issuer": ISSUER,
        "docs_client_id": "tams-console",
        "docs_origins": "https://login.example.org",
    }
    with serving(tmp_path_factory.mktemp("console"), public_url=f"https://media.example.com{BASE}", **options) as found:
        yield found


@pytest.fixture(scope="module")
def stranger(running: Running) -> Iterator[httpx.Client]:
    with running.stranger() as client:
        yield client


@pytest.mark.parametrize("prefix", ["", BASE])
def test_settings_say_how_to_sign_in(stranger: httpx.Client, prefix: str) -> None:
    response = stranger.get(f"{prefix}/console/settings.json")
    assert response.json() == {
        "api_version": "8.2",
        "authentication": "on",
        "scope_prefix": "tams-api/",
        "scopes": ["read", "write", "delete", "admin"],
        "token_url": "oauth2/token",
        "identity_provider": {"issuer": ISSUER, "client_id": "tams-console"},
    }
    assert TOKEN not in response.text


def test_there_may_be_no_identity_provider(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("plain")) as plain, plain.stranger() as client:
        assert client.get("/console/settings.json").json()["identity_provider"] is None


@pytest.mark.parametrize("prefix", ["", BASE])
def test_a_session_shows_name_and_scopes(running: Running, prefix: str) -> None:
    with running.with_scopes("read", "write") as client:
        response = client.get(f"{prefix}/console/session.json")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json() == {
        "name": "only read write",
        "scopes": ["read", "write"],
        "groups": [],
        "restricted": False,
    }


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic bm9ib2R5Og=="])
def test_a_session_needs_a_credential(stranger: httpx.Client, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    response = stranger.get("/console/session.json", headers=headers)
    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/console", "/console/", "/console/settings.json", "/console/session.json"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_of_the_console_can_be_changed(stranger: httpx.Client, method: str, path: str) -> None:
    response = stranger.request(method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/console/nothing.js", "/console/index.html", "/console/a/b"])
def test_unknown_paths_are_not_found(stranger: httpx.Client, path: str) -> None:
    assert stranger.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/console", "/console/settings.json", "/console/session.json"])
def test_pages_cannot_be_framed_and_pass_nothing_on(running: Running, path: str) -> None:
    response = running.client.get(path)
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
