"""Authentication, and the scopes of operations."""

import base64
import time
from pathlib import Path

import pytest

from storage.catalog.credentials import Credentials
from storage.tables import open_engine
from tams_server.http.authentication import Authenticator, PresentedCredential
from tests.unit.conftest import TOKEN, Client

FLOW = "10000000-0000-4000-8000-000000000001"


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def status(client: Client, authorization: str | None = None, url: str = "/flows", method: str = "GET") -> int:
    headers = {"Authorization": authorization} if authorization is not None else {}
    return client.without_credentials(method, url, headers=headers).status_code


def credentials(client: Client) -> Credentials:
    return client.app.process.parts.catalog.credentials


@pytest.mark.behaviour("AUTH-01", "AUTH-02", "AUTH-03", "AUTH-04", "AUTH-09")
def test_all_three_schemes_are_accepted(client: Client) -> None:
    credentials(client).add_password("jürgen", "p:ä", ["read"])
    assert status(client, f"Bearer {TOKEN}") == 200
    assert status(client, f"bEARER   {TOKEN}") == 200
    assert status(client, url=f"/flows?access_token={TOKEN}&limit=1") == 200
    assert status(client, url=f"/flows/{FLOW}/label?access_token={TOKEN}", method="DELETE") == 200
    assert status(client, basic("jürgen", "p:ä")) == 200


@pytest.mark.behaviour("AUTH-01", "AUTH-05", "ROOT-03")
@pytest.mark.parametrize("path", ["/", "/service", "/flows", "/flows/x", "/nothing", "/service/webhooks"])
def test_requests_without_a_credential_are_rejected(client: Client, path: str) -> None:
    response = client.without_credentials("GET", path)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer realm="TAMS", Basic realm="TAMS"')


@pytest.mark.behaviour("AUTH-05")
@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer wrong",
        "Bearer",
        "Bearer ",
        "Digest x",
        "Basic !!!",
        "Basic " + base64.b64encode(b"nocolon").decode(),
        basic("nobody", "x"),
        basic("\0", "x"),
        "x" * 9000,
        "",
    ],
)
def test_invalid_credentials_differ_from_missing_ones(client: Client, authorization: str) -> None:
    response = client.without_credentials("GET", "/flows", headers={"Authorization": authorization})
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert status(client, url="/flows?access_token=wrong") == 401
    assert status(client, url="/flows?access_token=") == 401


@pytest.mark.behaviour("AUTH-07")
def test_the_header_takes_precedence_over_the_url(client: Client) -> None:
    reader = credentials(client).add_token("reader", ["read"])
    assert status(client, "Bearer wrong", f"/flows?access_token={TOKEN}") == 401
    assert status(client, f"Bearer {reader}", f"/flows/{FLOW}?access_token={TOKEN}", "DELETE") == 403
    assert status(client, url=f"/flows?access_token={TOKEN}&access_token={reader}") == 401


def test_passwords_are_compared_by_scrypt_only_once(client: Client) -> None:
    credentials(client).add_password("slow", "password", ["read"])
    assert status(client, basic("slow", "password")) == 200
    started = time.perf_counter()
    for _ in range(20):
        assert status(client, basic("slow", "password")) == 200
    assert time.perf_counter() - started < 0.4
    assert status(client, basic("slow", "Password")) == 401


def test_the_caller_is_named_after_the_credential(client: Client) -> None:
    token = credentials(client).add_token("camera 3", ["read"])
    client.get("/flows", headers={"Authorization": f"Bearer {token}"})
    assert client.stub.call.caller.name == "camera 3"
    assert client.stub.call.caller.scopes == {"read"}


READ = ["/flows", "/sources", f"/flows/{FLOW}/segments", "/objects/x", "/service/profiles", "/service/webhooks"]


@pytest.mark.behaviour("SCOPE-01", "SCOPE-02", "SCOPE-03", "SCOPE-04", "SCOPE-05", "SCOPE-07", "SCOPE-08", "SCOPE-09")
@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        *[("GET", path, {"read"}) for path in READ],
        *[("HEAD", path, {"read"}) for path in READ],
        *[("GET", path, {"read", "write", "delete"}) for path in ("/", "/service", "/service/storage-backends")],
        ("POST", "/service", set()),
        ("PUT", f"/flows/{FLOW}", {"write"}),
        ("POST", f"/flows/{FLOW}/segments", {"write"}),
        ("POST", f"/flows/{FLOW}/storage", {"write"}),
        ("DELETE", f"/flows/{FLOW}", {"delete"}),
        ("DELETE", f"/flows/{FLOW}/segments", {"delete"}),
        ("DELETE", f"/flows/{FLOW}/tags/x", {"write"}),
        ("DELETE", f"/flows/{FLOW}/label", {"write"}),
        ("DELETE", f"/flows/{FLOW}/max_bit_rate", {"write"}),
        ("DELETE", "/objects/x/instances", {"write"}),
        ("POST", f"/service/profiles/{FLOW}", {"write"}),
        ("POST", "/service/webhooks", {"write"}),
        ("PUT", f"/service/webhooks/{FLOW}", {"write"}),
        ("DELETE", f"/service/webhooks/{FLOW}", {"write"}),
        ("GET", "/flow-delete-requests", set()),
        ("GET", f"/flow-delete-requests/{FLOW}", {"delete"}),
    ],
)
def test_scopes(client: Client, method: str, path: str, scopes: set[str]) -> None:
    for scope in ("read", "write", "delete", "admin"):
        token = credentials(client).add_token(f"only {scope}", [scope], token=f"token-{scope}")
        rejected = status(client, f"Bearer {token}", path, method) == 403
        assert rejected == (scope not in scopes | {"admin"}), scope


@pytest.mark.behaviour("AUTH-06")
def test_scopes_are_checked_before_path_parameters_and_body(client: Client) -> None:
    reader = credentials(client).add_token("reader", ["read"])
    response = client.request("PUT", "/flows/not-an-id", content=b"{", headers={"Authorization": f"Bearer {reader}"})
    assert response.status_code == 403
    assert "tams-api/write" in response.json()["detail"]


@pytest.fixture
def stored(tmp_path: Path) -> Credentials:
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    engine.create()
    return Credentials(engine)


def test_secrets_are_not_stored(stored: Credentials, tmp_path: Path) -> None:
    token = stored.add_token("x", ["read"])
    stored.add_password("user", "correct horse", ["admin"])
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert token.encode() not in content
    assert b"correct horse" not in content
    assert len(token) >= 43


def test_expired_tokens_are_rejected(stored: Credentials) -> None:
    now = time.time_ns() // 1000
    authenticator = Authenticator(stored)
    past = stored.add_token("past", ["read"], expires=now - 1)
    soon = stored.add_token("soon", ["read"], expires=now + 300_000)
    with pytest.raises(Exception, match="expired"):
        authenticator.find_caller(PresentedCredential("token", past))
    assert authenticator.find_caller(PresentedCredential("token", soon)).name == "soon"
    time.sleep(0.35)
    with pytest.raises(Exception, match="expired"):
        authenticator.find_caller(PresentedCredential("token", soon))


def test_a_changed_password_replaces_the_old_one(stored: Credentials) -> None:
    stored.add_password("user", "old", ["read"])
    stored.add_password("user", "new", ["read"])
    authenticator = Authenticator(stored)
    with pytest.raises(Exception, match="unknown"):
        authenticator.find_caller(PresentedCredential("basic", "old", "user"))
    assert authenticator.find_caller(PresentedCredential("basic", "new", "user")).name == "user"


def test_adding_the_same_credential_again_changes_nothing(stored: Credentials) -> None:
    stored.add_password("user", "password", ["read"])
    before = stored.by_user("user")
    stored.add_password("user", "password", ["tams-api/read"])
    assert stored.by_user("user") == before
    stored.add_token("t", ["read"], token="t")
    stored.add_token("t", ["write"], token="t")
    assert stored.by_token("t").scopes == {"write"}  # type: ignore[union-attr]


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "tams-api/rule"]])
def test_unknown_scopes_are_rejected(stored: Credentials, scopes: list[str]) -> None:
    with pytest.raises(Exception, match="scopes"):
        stored.add_token("x", scopes)
