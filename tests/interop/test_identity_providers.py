"""Tokens of real identity providers, rotation of their keys and outages included."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import oidc_provider_mock
import pytest

from tams_server.auth import authenticator, issuer_keys
from tests.api.in_process import Running, serving
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import free_port
from tests.interop.identity.provider import client_token, new_key, running_provider

REDIRECT = "http://localhost/callback"


def status(running: Running, token: str, path: str = "/flows") -> int:
    with running.bearer(token) as client:
        return client.get(path).status_code


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_tokens_of_oidc_provider(algorithm: str, tmp_path: Path) -> None:
    port = free_port()
    keys = [new_key("1", algorithm), new_key("2", "RS256")]  # the second for what it signs besides
    with running_provider(port, keys, algorithm) as issuer:
        with serving(tmp_path, jwt_issuer=issuer, jwt_audience="tams") as running:
            reader, writer = (client_token(issuer, f"tams-api/{scope}") for scope in ("read", "write"))
            assert [status(running, token) for token in (reader, writer)] == [200, 403]
            assert status(running, reader[:-4] + "AAAA") == 401
            with running.bearer(writer) as client:
                assert client.put("/flows/00000000-0000-4000-8000-000000000001/label", json="x").status_code == 404
        with serving(tmp_path, jwt_issuer=issuer, jwt_audience="others") as running:
            assert status(running, reader) == 401


def test_rotation_and_outage_of_oidc_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_keys, "UNKNOWN_S", 0.0)
    monkeypatch.setattr(issuer_keys, "RETRY_S", 0.2)
    monkeypatch.setattr(authenticator, "CACHED_S", 0.1)
    port, first, second = free_port(), new_key("1", "ES256"), new_key("2", "ES256")
    extra = new_key("3", "RS256")
    with serving(tmp_path, jwt_issuer=f"http://127.0.0.1:{port}", jwt_audience="tams") as running:
        with running_provider(port, [first, extra], "ES256") as issuer:
            old = client_token(issuer, "tams-api/read")
            unseen = client_token(issuer, "tams-api/read")
            assert status(running, old) == 200
        # The issuer is away: known keys go on, and tokens of others are not accepted, nor called invalid.
        assert [status(running, token) for token in (old, unseen)] == [200, 200]
        with running_provider(free_port(), [second, extra], "ES256", issuer=f"http://127.0.0.1:{port}") as elsewhere:
            new = client_token(elsewhere, "tams-api/read")
        with running.bearer(new) as client:
            response = client.get("/flows")
        assert (response.status_code, "Retry-After" in response.headers) == (503, True)
        assert status(running, old) == 200
        # It comes back with another key. The former one ends as soon as the keys have been fetched again.
        with running_provider(port, [second, extra], "ES256"):
            wait_until(lambda: status(running, new) == 200, "the new key to be known", timeout_s=10)
            wait_until(lambda: status(running, old) == 401, "the former key to end", timeout_s=10)
            assert status(running, unseen) == 401


@pytest.fixture
def mock() -> Iterator[str]:
    """A provider in Python, for the code flow of people. Its access tokens are opaque, its ID tokens are JWTs."""
    users = [oidc_provider_mock.User(sub="ann", claims={"groups": ["editors"]})]
    with oidc_provider_mock.run_server_in_thread(user_claims=users) as server:
        yield f"http://localhost:{server.server_port}"


def id_token(issuer: str) -> str:
    """Log in as Ann by the code flow."""
    query = {
        "client_id": "ui",
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "openid groups",
        "state": "1",
        "nonce": "1",
    }
    answer = httpx.post(f"{issuer}/oauth2/authorize", params=query, data={"sub": "ann"}, timeout=10)
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "client_id": "ui"}
    response = httpx.post(f"{issuer}/oauth2/token", data={**form, "client_secret": "x"}, auth=("ui", "x"), timeout=10)
    assert response.status_code == 200, response.text
    return str(response.json()["id_token"])


def test_groups_of_oidc_provider_mock_grant_scopes(mock: str, tmp_path: Path) -> None:
    file = tmp_path / "issuers.yaml"
    entry = f"{{name: mock, issuer: '{mock}', audience: ui, group_scopes: {{editors: [read]}}}}"
    file.write_text(f"issuers: [{entry}]")
    token = id_token(mock)
    with serving(tmp_path / "data", issuers=file) as running:
        assert status(running, token) == 200
        with running.bearer(token) as client:
            assert client.post("/service", json={}).status_code == 403
