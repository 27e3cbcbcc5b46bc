"""POST /oauth2/token: client credentials as RFC 6749 has them, and how clients of the field use them."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import httpx
import pytest

from storage.tables.conditions import equals
from tams_server.auth import authenticator, own_tokens
from tams_server.auth.own_tokens import generate_key
from tests.api.in_process import Running, serving
from tests.conformance.kit.polling import wait_until
from tests.token_clients import add_client

GRANT = {"grant_type": "client_credentials"}
CLIENT = "AWS & MediaConvert"
"""An id that is different once it is encoded."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("tokens")) as running:
        yield running


@pytest.fixture(scope="module")
def secret(running: Running) -> str:
    return add_client(running.catalog.credentials, CLIENT, ["read", "write", "delete"])


@pytest.fixture(scope="module")
def http(running: Running) -> Iterator[httpx.Client]:
    with running.stranger() as client:
        yield client


def fetch(http: httpx.Client, *auth: str, **form: str) -> httpx.Response:
    """Ask for a token. auth: id and secret for the header."""
    return http.post("/oauth2/token", data={**GRANT, **form}, auth=(auth[0], auth[1]) if auth else None)


def test_a_client_fetches_a_token_by_its_header(http: httpx.Client, running: Running, secret: str) -> None:
    response = fetch(http, CLIENT, secret)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    document = response.json()
    token = document.pop("access_token")
    assert document == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "tams-api/delete tams-api/read tams-api/write",
    }
    with running.bearer(token) as client:
        assert client.get("/flows").status_code == 200
        assert client.post("/service", json={}).status_code == 403
    assert http.get("/flows", params={"access_token": token}).status_code == 200


def test_a_client_fetches_a_token_by_the_form(http: httpx.Client, running: Running, secret: str) -> None:
    response = fetch(http, client_id=CLIENT, client_secret=secret, scope="tams-api/read")
    assert response.json()["scope"] == "tams-api/read"
    with running.bearer(response.json()["access_token"]) as client:
        assert client.get("/flows").status_code == 200
        assert client.put("/flows/00000000-0000-4000-8000-000000000001/label", json="x").status_code == 403


@pytest.mark.parametrize("encode", [str, lambda text: quote(text, safe="")], ids=["plain", "form-encoded"])
def test_the_id_in_the_header_may_be_encoded_or_not(encode: Any, http: httpx.Client, secret: str) -> None:
    assert fetch(http, encode(CLIENT), encode(secret), client_id=CLIENT).status_code == 200


@pytest.mark.parametrize("scope", ["tams-api/read", "tams-api/write", "tams-api/delete"])
def test_each_scope_of_mediaconvert_can_be_asked_for(scope: str, http: httpx.Client, secret: str) -> None:
    assert fetch(http, CLIENT, secret, scope=scope).json()["scope"] == scope


def test_an_administrator_can_ask_for_less(http: httpx.Client, running: Running) -> None:
    secret = add_client(running.catalog.credentials, "administrator", ["admin"])
    assert fetch(http, "administrator", secret).json()["scope"] == "tams-api/admin"
    token = fetch(http, "administrator", secret, scope="tams-api/read").json()["access_token"]
    with running.bearer(token) as client:
        assert client.get("/flows").status_code == 200
        assert client.post("/service", json={}).status_code == 403


def error_of(response: httpx.Response) -> str:
    """Return the code of an error, whose form is checked."""
    document = response.json()
    assert set(document) == {"error", "error_description"}
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    by_header = response.request.headers.get("Authorization", "").startswith("Basic")
    is_login = document["error"] == "invalid_client" and by_header
    assert response.status_code == (401 if is_login else 400)
    assert response.headers.get("WWW-Authenticate", "").startswith("Basic realm=") == is_login
    return str(document["error"])


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        ({}, "invalid_request"),
        ({**GRANT, "scope": "tams-api/admin"}, "invalid_scope"),
        ({**GRANT, "scope": "tams-api/read tams-api/admin"}, "invalid_scope"),
        ({**GRANT, "scope": "read"}, "invalid_scope"),
        ({**GRANT, "scope": "openid"}, "invalid_scope"),
        ({**GRANT, "scope": " "}, "invalid_scope"),
        ({**GRANT, "client_secret": "x"}, "invalid_request"),
        ({**GRANT, "client_id": CLIENT, "client_secret": "x"}, "invalid_request"),
        ({**GRANT, "client_id": "another"}, "invalid_request"),
    ],
    ids=str,
)
def test_errors_of_requests(form: dict[str, str], expected: str, http: httpx.Client, secret: str) -> None:
    assert error_of(http.post("/oauth2/token", data=form, auth=(CLIENT, secret))) == expected


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"data": {"client_id": CLIENT}},
        {"data": {"client_secret": "x"}},
        {"data": {"client_id": "nobody", "client_secret": "x"}},
        {"data": {"client_id": "a\0b", "client_secret": "x"}},
        {"headers": {"Authorization": "Bearer x"}},
        {"headers": {"Authorization": "Basic"}},
        {"headers": {"Authorization": "Basic !"}},
        {"headers": {"Authorization": f"Basic {base64.b64encode(b'%41:' * 1500).decode()}"}},
        {"headers": {"Authorization": f"Basic {base64.b64encode(b'no colon').decode()}"}},
        {"headers": {"Authorization": f"Basic {base64.b64encode(bytes([255, 58, 255])).decode()}"}},
    ],
    ids=str,
)
def test_errors_of_clients(given: dict[str, Any], http: httpx.Client) -> None:
    form = {**GRANT, **given.get("data", {})}
    assert error_of(http.post("/oauth2/token", data=form, headers=given.get("headers"))) == "invalid_client"


def test_users_and_tokens_are_no_clients(http: httpx.Client, running: Running) -> None:
    running.catalog.credentials.add_password("bob", "correct horse battery", ["read"])
    assert error_of(fetch(http, "bob", "correct horse battery")) == "invalid_client"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"grant_type=client_credentials", "text/plain"),
        (b"grant_type=client_credentials", ""),
        (b"grant_type=client_credentials&grant_type=client_credentials", "application/x-www-form-urlencoded"),
        (b"grant_type=client_credentials&scope=%FF", "application/x-www-form-urlencoded"),
        (b"grant_type=client_credentials&scope=\xff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a=1" for _ in range(60)), "application/x-www-form-urlencoded"),
    ],
    ids=str,
)
def test_errors_of_bodies(content: bytes, content_type: str, http: httpx.Client, secret: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = http.post("/oauth2/token", content=content, headers=headers, auth=(CLIENT, secret))
    assert error_of(response) == "invalid_request"


def test_a_large_body_is_rejected(http: httpx.Client, secret: str) -> None:
    assert http.post("/oauth2/token", content=b"x" * 4_100, auth=(CLIENT, secret)).status_code == 413


def test_secrets_in_the_url_are_rejected(http: httpx.Client, secret: str) -> None:
    for query in ({"client_secret": secret, "client_id": CLIENT}, GRANT, {"scope": "tams-api/read"}):
        response = http.post("/oauth2/token", data=GRANT, params=query, auth=(CLIENT, secret))
        assert error_of(response) == "invalid_request"


def test_a_long_query_is_rejected_unread(http: httpx.Client, secret: str) -> None:
    for query, accepted in (("a" * 2_000, True), ("a" * 2_100, False), ("a&" * 60, False)):
        response = http.post("/oauth2/token", data=GRANT, params=query, auth=(CLIENT, secret))
        assert (response.status_code == 200) == accepted
        if not accepted:
            assert error_of(response) == "invalid_request"


def test_only_post_is_allowed(http: httpx.Client) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = http.request(method, "/oauth2/token")
        assert (response.status_code, response.headers["Allow"]) == (405, "POST, OPTIONS")
    preflight = {"Origin": "https://ui.example", "Access-Control-Request-Headers": "authorization"}
    response = http.options("/oauth2/token", headers={**preflight, "Access-Control-Request-Method": "POST"})
    assert response.status_code == 204
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "authorization" in response.headers["Access-Control-Allow-Headers"].lower()


def test_wrong_secrets_cause_a_back_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("backoff")
    log = folder / "audit.jsonl"
    with serving(folder / "data", audit_log=str(log)) as running, running.stranger() as http:
        secret = add_client(running.catalog.credentials, "ingest", ["read"])
        statuses = [fetch(http, "ingest", "wrong").status_code for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        blocked = fetch(http, "ingest", "wrong")
        assert (blocked.status_code, int(blocked.headers["Retry-After"]) >= 1) == (429, True)
        assert fetch(http, "ingest", secret).status_code == 200, "wrong secrets lock nobody out"
        records = wait_until(lambda: log.read_text().splitlines()[:13], "the records")
    failed = [json.loads(line) for line in records if "back-off" in line]
    assert [(each["event"], each["principal"], each["status"]) for each in failed] == [
        ("login_failed", "ingest", 429)
    ] * 3


def test_a_changed_or_revoked_client_loses_its_tokens_within_five_seconds(
    http: httpx.Client, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert authenticator.CACHED_S + 1 <= 5
    assert own_tokens._RENEW_S + authenticator.CACHED_S < 5
    monkeypatch.setattr(authenticator, "CACHED_S", 0.2)
    credentials = running.catalog.credentials
    for change in ("secret", "revoked"):
        secret = add_client(credentials, "fleeting", ["read"])
        token = fetch(http, "fleeting", secret).json()["access_token"]
        with running.bearer(token) as client:
            assert client.get("/flows").status_code == 200
            if change == "secret":
                add_client(credentials, "fleeting", ["read"])
            else:
                with running.catalog._engine.write() as tx:
                    tx.update("credentials", equals(id="client:fleeting"), {"revoked": time.time_ns() // 1000})
            wait_until(lambda client=client: client.get("/flows").status_code == 401, "the token to end", timeout_s=5)
        assert error_of(fetch(http, "fleeting", secret)) == "invalid_client"


def test_metadata_leads_to_the_endpoint_and_the_keys(http: httpx.Client, running: Running, secret: str) -> None:
    fetch(http, CLIENT, secret)
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"):
        response = http.get(path)
        assert response.headers["Cache-Control"] == "no-store", "it depends on the Host header"
        document = response.json()
        assert document["issuer"] == running.url
        assert document["token_endpoint"] == f"{running.url}/oauth2/token"
        assert document["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post"]
        keys = http.get(document["jwks_uri"])
        assert keys.headers["Access-Control-Allow-Origin"] == "*"
        assert [set(key) for key in keys.json()["keys"]] == [{"kty", "crv", "x", "y", "kid", "use", "alg"}]


def test_metadata_may_be_cached_where_the_url_is_a_setting(tmp_path: Path) -> None:
    with serving(tmp_path, public_url="https://tams.example.org") as running, running.stranger() as http:
        response = http.get("/.well-known/oauth-authorization-server")
    assert response.json()["token_endpoint"] == "https://tams.example.org/oauth2/token"
    assert response.headers["Cache-Control"] == "public, max-age=60"


def test_another_server_can_trust_these_tokens(
    http: httpx.Client, running: Running, secret: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    token = fetch(http, CLIENT, secret).json()["access_token"]
    with serving(tmp_path_factory.mktemp("other"), jwt_issuer=running.url) as other, other.bearer(token) as client:
        assert client.get("/flows").status_code == 200
        assert client.post("/service", json={}).status_code == 403


def test_revoked_keys_end_tokens_while_the_server_runs(
    http: httpx.Client, running: Running, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticator, "CACHED_S", 0.2)
    monkeypatch.setattr(own_tokens, "_RENEW_S", 0.2)
    with running.bearer(fetch(http, CLIENT, secret).json()["access_token"]) as client:
        assert client.get("/flows").status_code == 200
        running.catalog.token_keys.rotate(generate_key, 3600, revoke=True)
        wait_until(lambda: client.get("/flows").status_code == 401, "the token to end", timeout_s=5)
    with running.bearer(fetch(http, CLIENT, secret).json()["access_token"]) as client:
        assert client.get("/flows").status_code == 200


def test_the_scripts_of_the_bbc_log_in(running: Running, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As its ingest and outgest scripts do: basic authentication by aiohttp, and a new token after a 401."""
    monkeypatch.setattr(authenticator, "CACHED_S", 0.1)
    monkeypatch.setattr(own_tokens, "_RENEW_S", 0.1)
    assert asyncio.run(renewals_of_a_script(running, secret)) == 1


async def renewals_of_a_script(running: Running, secret: str) -> int:
    """Read until a token has ended and another was fetched. Return how many were."""

    async def log_in(session: aiohttp.ClientSession) -> dict[str, str]:
        auth = aiohttp.BasicAuth(CLIENT, secret)
        async with session.post(f"{running.url}/oauth2/token", data=GRANT, auth=auth) as response:
            response.raise_for_status()
            document = await response.json()
        assert document["expires_in"] > 0
        return {"Authorization": f"Bearer {document['access_token']}"}

    async with aiohttp.ClientSession() as session:
        headers = await log_in(session)
        renewals = 0
        for attempt in range(200):
            async with session.get(f"{running.url}/flows", headers=headers) as response:
                if attempt == 0:
                    assert response.status == 200
                    running.catalog.token_keys.rotate(generate_key, 3600, revoke=True)
                elif response.status == 401:
                    renewals += 1
                    headers = await log_in(session)
                elif renewals:
                    break
            await asyncio.sleep(0.02)
    return renewals
