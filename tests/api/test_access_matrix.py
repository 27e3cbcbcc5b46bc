"""F16: every operation with every kind of credential, valid and not, against the table in permissions.py."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tams_server.app import Application, create_app
from tams_server.auth.issuer import Issuer
from tams_server.auth.issuer_keys import IssuerKeys
from tams_server.auth.token_verifier import TrustedIssuer
from tams_server.http import serving_process
from tams_server.settings import Settings
from tams_server.wiring import prepare
from tests.api.permissions import PERMISSIONS
from tests.token_clients import add_client
from tests.unit.auth.token_maker import AUDIENCE, ISSUER, IssuerServer, claims, new_key, run_now, sign

SCOPES = {"r": "read", "w": "write", "d": "delete", "a": "admin"}
COMBINED = (*SCOPES, "rw")
TABLE = {
    (method, path): sets.split() for method, path, sets in (row.split(None, 2) for row in PERMISSIONS.split("\n")[1:-1])
}
OPERATIONS = [*TABLE, *(("HEAD", path) for method, path in TABLE if method == "GET")]
ID = "2f6d2f1e-6c3a-4b52-9a58-0c7c1c7f5b11"
KEY, OTHER_KEY = new_key("ES256"), new_key("ES256")
PASSWORD = "correct horse battery staple"
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Credential:
    """As a request carries it, by header or in the query."""

    authorization: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The application. valid: by scheme and scopes. invalid: by what is wrong."""

    app: Application
    valid: Mapping[tuple[str, str], Credential]
    invalid: Mapping[str, Credential]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("matrix"), bootstrap_token="not used here")
    issuer = Issuer("sso", ISSUER, audiences=frozenset({AUDIENCE}))
    trusted = TrustedIssuer(issuer, IssuerKeys(ISSUER, IssuerServer(KEY).fetch, start=run_now))
    prepare(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving_process, "open_issuers", lambda _issuers: [trusted])
        app = create_app(settings)
        yield Matrix(app, valid_credentials(app), invalid_credentials())
        app.process.stop()


def valid_credentials(app: Application) -> dict[tuple[str, str], Credential]:
    found: dict[tuple[str, str], Credential] = {}
    credentials = app.process.parts.catalog.credentials
    for initials in COMBINED:
        scopes = [SCOPES[each] for each in initials]
        token = credentials.add_token(f"token {initials}", scopes)
        found["bearer", initials] = Credential(f"Bearer {token}")
        found["url", initials] = Credential(query=f"access_token={token}")
        credentials.add_password(f"user {initials}", PASSWORD, scopes)
        found["basic", initials] = basic(f"user {initials}", PASSWORD)
        named = " ".join(f"tams-api/{scope}" for scope in scopes)
        found["jwt", initials] = Credential(f"Bearer {sign(KEY, claims(scope=named, exp=time.time() + HOUR))}")
        add_client(credentials, f"client {initials}", scopes)
        client = credentials.by_client(f"client {initials}")
        assert client is not None
        issued = app.process.own_tokens.issue(client, client.scopes, "https://tams.example")
        found["client", initials] = Credential(f"Bearer {issued.token}")
    return found


def invalid_credentials() -> dict[str, Credential]:
    now, scope = time.time(), "tams-api/admin"
    tokens = {
        "wrong": "no-such-token",
        "expired": sign(KEY, claims(scope=scope, iat=now - HOUR, nbf=None, exp=now - 60)),
        "not yet valid": sign(KEY, claims(scope=scope, nbf=now + HOUR, exp=now + 2 * HOUR)),
        "wrong audience": sign(KEY, claims(scope=scope, aud="others", exp=now + HOUR)),
        "wrong issuer": sign(KEY, claims(scope=scope, iss="https://elsewhere.example.org", exp=now + HOUR)),
        "wrong key": sign(OTHER_KEY, claims(scope=scope, exp=now + HOUR)),
    }
    found = {"none": Credential(), "malformed": Credential("Bearer"), "another scheme": Credential("Digest x")}
    for name, token in tokens.items():
        found[name] = Credential(f"Bearer {token}")
        found[f"{name}, in the URL"] = Credential(query=f"access_token={token}")
    return found


def basic(user: str, password: str) -> Credential:
    return Credential(f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}")


async def respond(app: Application, method: str, path: str, credential: Credential) -> int:
    """Return the status of a request without a body for something that does not exist."""
    headers = [(b"host", b"tams.example")]
    if credential.authorization:
        headers.append((b"authorization", credential.authorization.encode()))
    raw = "/".join(ID if part.startswith("{") else part for part in path.split("/"))
    scope = {
        "type": "http",
        "method": method,
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": credential.query.encode(),
        "headers": headers,
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
        "client": None,
        "server": ("tams.example", 80),
    }
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    [status] = statuses
    return int(status)


def test_the_table_has_every_operation(matrix: Matrix) -> None:
    methods = ("get", "head", "put", "post", "delete")
    paths = matrix.app.specification.document["paths"]
    declared = {(method.upper(), path) for path, item in paths.items() for method in methods if method in item}
    assert declared <= set(OPERATIONS)
    assert set(TABLE) <= declared


@pytest.mark.behaviour("AUTH-01", "AUTH-02", "AUTH-03", "AUTH-04", "AUTH-05", "AUTH-06", "AUTH-09", "SCOPE-01")
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=" ".join)
def test_each_credential_permits_what_the_table_says(method: str, path: str, matrix: Matrix) -> None:
    sets = TABLE["GET" if method == "HEAD" else method, path]

    async def statuses() -> dict[str, int]:
        found = {name: await respond(matrix.app, method, path, each) for name, each in matrix.invalid.items()}
        for (scheme, initials), each in matrix.valid.items():
            found[f"{scheme} {initials}"] = await respond(matrix.app, method, path, each)
        return found

    expected = dict.fromkeys(matrix.invalid, "open" if "public" in sets else "401")
    for scheme, initials in matrix.valid:
        is_permitted = "public" in sets or any(set(each) <= set(initials) for each in sets)
        expected[f"{scheme} {initials}"] = "open" if is_permitted else "403"
    found = asyncio.run(statuses())
    assert {name: str(status) if status in (401, 403) else "open" for name, status in found.items()} == expected
    assert all(status < 500 or status == 501 for status in found.values())


@pytest.mark.behaviour("AUTH-04", "AUTH-05")
def test_a_wrong_password_permits_nothing(matrix: Matrix) -> None:
    """On a few operations only, as each comparison is slow on purpose."""

    async def statuses() -> list[int]:
        users = (f"user {initials}" for initials in SCOPES)
        given = zip(users, ("/", "/flows", "/service", "/nothing"), strict=True)
        return [await respond(matrix.app, "GET", path, basic(user, "wrong")) for user, path in given]

    assert asyncio.run(statuses()) == [401] * 4
