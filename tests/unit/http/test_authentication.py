"""Authentication, and the scopes of operations."""

import base64
import hashlib
import time
from pathlib import Path

import pytest

from storage.catalog.credentials import Credentials
from storage.catalog.passwords import password_matches
from storage.tables import open_engine
from tams_server.auth import password_checks
from tams_server.auth.authenticator import Authenticator
from tams_server.auth.presented_credential import PresentedCredential
from tams_server.http.authentication import strip_access_token
from tests.conformance.kit.polling import wait_until
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


def test_a_browser_cannot_be_made_to_send_its_password_by_a_page_of_another_site(client: Client) -> None:
    credentials(client).add_password("browser", "password", ["read"])
    for site, expected in (("cross-site", 401), ("same-site", 200), ("same-origin", 200), ("none", 200)):
        headers = {"Sec-Fetch-Site": site, "Authorization": basic("browser", "password")}
        assert client.without_credentials("GET", "/flows", headers=headers).status_code == expected, site
    by_script = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "cors",
        "Authorization": basic("browser", "password"),
    }
    assert client.without_credentials("GET", "/flows", headers=by_script).status_code == 200
    headers = {"Sec-Fetch-Site": "cross-site", "Authorization": f"Bearer {TOKEN}"}
    assert client.without_credentials("GET", "/flows", headers=headers).status_code == 200


def test_a_password_is_hashed_once_and_remembered(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(client).add_password("slow", "password", ["read"])
    compared: list[str] = []

    def compare(secret: str, password: str) -> bool:
        compared.append(password)
        return password_matches(secret, password)

    monkeypatch.setattr(password_checks, "password_matches", compare)
    for _ in range(20):
        assert status(client, basic("slow", "password")) == 200
    assert status(client, basic("slow", "Password")) == 401
    assert compared == ["password", "Password"]


def test_the_hash_of_an_earlier_release_is_replaced_at_a_login(client: Client) -> None:
    stored = credentials(client)
    stored.add_password("early", "password", ["read"])
    salt = bytes(range(16))
    digest = hashlib.scrypt(b"password", salt=salt, n=2**14, r=8, p=1, dklen=32)
    known = stored.by_user("early")
    assert known is not None
    stored.replace_hash(known, f"scrypt${2**14}$8$1${salt.hex()}${digest.hex()}")
    assert status(client, basic("early", "wrong")) == 401
    assert not argon2_hash(stored)
    assert status(client, basic("early", "password")) == 200
    wait_until(lambda: argon2_hash(stored), "the new hash")
    assert status(client, basic("early", "password")) == 200


def argon2_hash(stored: Credentials) -> bool:
    found = stored.by_user("early")
    return found is not None and found.secret.startswith("$argon2id$")


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
        ("POST", "/service/webhooks", set()),  # read and write together
        ("PUT", f"/service/webhooks/{FLOW}", set()),
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


@pytest.mark.behaviour("AUTH-08")
@pytest.mark.parametrize(
    ("query", "stripped"),
    [
        ("", ""),
        ("a=1", "a=1"),
        ("access_token=x", ""),
        ("access_token", ""),
        ("a=1&access_token=x&b", "a=1&b"),
        ("access_token=x&a=1", "a=1"),
        ("a=1&access_token=x", "a=1"),
        ("access_token=x&access_token=y&a", "a"),
        ("%61ccess%5Ftoken=x&a=%", "a=%"),
        ("access%5ftoken=x=y&&a", "&a"),
        ("access_tokens=x&xaccess_token=x&access%token=x", "access_tokens=x&xaccess_token=x&access%token=x"),
        ("a=&access_token=x", "a="),
    ],
)
def test_the_token_is_stripped_from_queries(query: str, stripped: str) -> None:
    assert strip_access_token(query) == stripped


def test_a_token_may_be_encoded_in_the_query(client: Client) -> None:
    encoded = "".join(f"%{ord(char):02x}" for char in TOKEN)
    assert status(client, url=f"/flows?%61ccess_token={encoded}") == 200
    assert status(client, url=f"/flows?access_token={'%41' * 5000}") == 401
