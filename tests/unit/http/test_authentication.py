"""Who comes in, and what each scope may do."""

import base64
import time
from pathlib import Path

import pytest

from storage.catalog.credentials import Credentials
from storage.tables import open_engine
from tams_server.http.authentication import Authenticator, Presented
from tests.unit.conftest import TOKEN, Client

FLOW = "10000000-0000-4000-8000-000000000001"


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def status(client: Client, authorization: str | None = None, url: str = "/flows", method: str = "GET") -> int:
    headers = {"Authorization": authorization} if authorization is not None else {}
    return client.without_credentials(method, url, headers=headers).status_code


def credentials(client: Client) -> Credentials:
    return client.app.runtime.parts.catalog.credentials


@pytest.mark.behaviour("AUTH-01", "AUTH-02", "AUTH-03", "AUTH-04", "AUTH-09")
def test_each_of_the_three_ways_lets_in(client: Client) -> None:
    credentials(client).add_password("jürgen", "p:ä", ["read"])
    assert status(client, f"Bearer {TOKEN}") == 200
    assert status(client, f"bEARER   {TOKEN}") == 200
    assert status(client, url=f"/flows?access_token={TOKEN}&limit=1") == 200
    assert status(client, url=f"/flows/{FLOW}/label?access_token={TOKEN}", method="DELETE") == 200
    assert status(client, basic("jürgen", "p:ä")) == 200


@pytest.mark.behaviour("AUTH-01", "AUTH-05", "ROOT-03")
@pytest.mark.parametrize("path", ["/", "/service", "/flows", "/flows/x", "/nothing", "/service/webhooks"])
def test_nobody_comes_in_without_a_credential(client: Client, path: str) -> None:
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
def test_wrong_credentials_are_told_apart_from_none(client: Client, authorization: str) -> None:
    response = client.without_credentials("GET", "/flows", headers={"Authorization": authorization})
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert status(client, url="/flows?access_token=wrong") == 401
    assert status(client, url="/flows?access_token=") == 401


@pytest.mark.behaviour("AUTH-07")
def test_the_header_wins_over_the_url(client: Client) -> None:
    reader = credentials(client).add_token("reader", ["read"])
    assert status(client, "Bearer wrong", f"/flows?access_token={TOKEN}") == 401
    assert status(client, f"Bearer {reader}", f"/flows/{FLOW}?access_token={TOKEN}", "DELETE") == 403
    assert status(client, url=f"/flows?access_token={TOKEN}&access_token={reader}") == 401


def test_passwords_are_compared_slowly_once_only(client: Client) -> None:
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
        refused = status(client, f"Bearer {token}", path, method) == 403
        assert refused == (scope not in scopes | {"admin"}), scope


@pytest.mark.behaviour("AUTH-06")
def test_scope_comes_before_path_and_body(client: Client) -> None:
    reader = credentials(client).add_token("reader", ["read"])
    response = client.request("PUT", "/flows/not-an-id", content=b"{", headers={"Authorization": f"Bearer {reader}"})
    assert response.status_code == 403
    assert "tams-api/write" in response.json()["detail"]


@pytest.fixture
def kept(tmp_path: Path) -> Credentials:
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    engine.create()
    return Credentials(engine)


def test_secrets_are_not_kept(kept: Credentials, tmp_path: Path) -> None:
    token = kept.add_token("x", ["read"])
    kept.add_password("user", "correct horse", ["admin"])
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert token.encode() not in stored
    assert b"correct horse" not in stored
    assert len(token) >= 43


def test_expired_tokens_let_nobody_in(kept: Credentials) -> None:
    now = time.time_ns() // 1000
    authenticator = Authenticator(kept)
    past = kept.add_token("past", ["read"], expires=now - 1)
    soon = kept.add_token("soon", ["read"], expires=now + 300_000)
    with pytest.raises(Exception, match="expired"):
        authenticator.caller(Presented("token", past))
    assert authenticator.caller(Presented("token", soon)).name == "soon"
    time.sleep(0.35)
    with pytest.raises(Exception, match="expired"):
        authenticator.caller(Presented("token", soon))


def test_a_changed_password_replaces_the_old_one(kept: Credentials) -> None:
    kept.add_password("user", "old", ["read"])
    kept.add_password("user", "new", ["read"])
    authenticator = Authenticator(kept)
    with pytest.raises(Exception, match="not known"):
        authenticator.caller(Presented("basic", "old", "user"))
    assert authenticator.caller(Presented("basic", "new", "user")).name == "user"


def test_adding_the_same_again_changes_nothing(kept: Credentials) -> None:
    kept.add_password("user", "password", ["read"])
    before = kept.by_user("user")
    kept.add_password("user", "password", ["tams-api/read"])
    assert kept.by_user("user") == before
    kept.add_token("t", ["read"], token="t")
    kept.add_token("t", ["write"], token="t")
    assert kept.by_token("t").scopes == {"write"}  # type: ignore[union-attr]


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "tams-api/rule"]])
def test_unknown_scopes_are_refused(kept: Credentials, scopes: list[str]) -> None:
    with pytest.raises(Exception, match="scopes"):
        kept.add_token("x", scopes)
