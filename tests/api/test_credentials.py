"""Credentials: how they are created, what they may contain, and that only their hashes are stored."""

import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.api.in_process import TOKEN, Running, serving
from tests.conformance.kit.documents import flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.server import own_server

USER, PASSWORD = "Zoë", "pass:wörd with ☃"
SECRET = "a-secret+of/this=test"
NO_BOOTSTRAP = {"TAMS_BOOTSTRAP_TOKEN": ""}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("credentials"), bootstrap_basic=f"{USER}:{PASSWORD}") as running:
        yield running


def basic(user: str, password: str, encoding: str = "utf-8") -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode(encoding)).decode()}"}


def status(running: Running, headers: dict[str, str] | None = None, query: str = "") -> int:
    return running.stranger().get(f"{running.url}/service{query}", headers=headers).status_code


@pytest.mark.behaviour("AUTH-04")
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_a_password_may_contain_colons_and_any_character(running: Running, scheme: str) -> None:
    header = basic(USER, PASSWORD)["Authorization"].replace("Basic", scheme)
    assert status(running, {"Authorization": header}) == 200


@pytest.mark.behaviour("AUTH-04", "AUTH-05")
@pytest.mark.parametrize(
    "headers",
    [
        basic(USER, ""),
        basic(USER, "pass"),
        basic(USER, PASSWORD[:-1]),
        basic(USER, PASSWORD + " "),
        basic(USER, PASSWORD.upper()),
        basic(USER.lower(), PASSWORD),
        basic("", PASSWORD),
        basic(USER, "pass:wörd", "latin-1"),
        basic("bootstrap", TOKEN),
        {"Authorization": f"Bearer {PASSWORD.encode().decode('latin-1')[:4]}"},
        {"Authorization": f"Bearer {USER.encode().decode('latin-1')}"},
    ],
)
def test_only_the_right_password_of_the_right_user_is_accepted(running: Running, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    response = running.stranger().get("/service", headers=raw)  # type: ignore[arg-type]
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.behaviour("AUTH-05")
def test_a_token_expires(running: Running) -> None:
    now = time.time_ns() // 1000
    hour = 3600 * 1_000_000
    for expires, expected in ((now + hour, 200), (now - hour, 401)):
        token = running.catalog.credentials.add_token("guest", ["read"], expires=expires)
        assert running.bearer(token).get("/service").status_code == expected


@pytest.mark.behaviour("PROF-POST-06", "AUTH-04")
def test_created_by_is_the_name_of_the_credential(running: Running) -> None:
    token = running.catalog.credentials.add_token("somebody", ["read", "write", "delete"])
    for client, name in ((running.bearer(token), "somebody"), (running.stranger(), USER)):
        document = flow()
        path = f"/flows/{document['id']}"
        headers = basic(USER, PASSWORD) if name == USER else {}
        assert client.put(path, json=document, headers=headers).status_code == 201
        assert client.get(path, headers=headers).json()["created_by"] == name


@pytest.mark.behaviour("AUTH-07")
@pytest.mark.parametrize(
    ("header", "in_url", "expected"),
    [(TOKEN, "wrong", 200), ("wrong", TOKEN, 401), (TOKEN, TOKEN, 200), ("wrong", "wrong", 401)],
)
def test_the_header_takes_precedence_over_the_url(running: Running, header: str, in_url: str, expected: int) -> None:
    assert status(running, {"Authorization": f"Bearer {header}"}, f"?access_token={in_url}") == expected


@pytest.mark.behaviour("AUTH-07")
def test_the_scopes_of_two_credentials_are_not_combined(running: Running) -> None:
    reader, writer = (running.catalog.credentials.add_token(scope, [scope]) for scope in ("read", "write"))
    path = f"/flows/{fresh()}/label?access_token={writer}"
    assert running.bearer(reader).put(path, json="a label").status_code == 403
    assert running.bearer(writer).get(f"/flows?access_token={reader}").status_code == 403


@pytest.mark.behaviour("AUTH-07")
@pytest.mark.parametrize(("second", "expected"), [("wrong", 401), ("", 401), (TOKEN, 200)])
def test_two_tokens_in_one_url_must_be_the_same(running: Running, second: str, expected: int) -> None:
    assert status(running, query=f"?access_token={TOKEN}&access_token={second}") == expected


@pytest.mark.behaviour("AUTH-03", "AUTH-08")
@pytest.mark.parametrize("name", ["access_token", "access%5Ftoken", "%61ccess_%74oken"])
@pytest.mark.parametrize(
    ("path", "expected"), [("/service", 200), ("/flows/2f6d2f1e-6c3a-4b52-9a58-0c7c1c7f5b11", 404), ("/nothing", 404)]
)
def test_responses_to_a_url_with_a_token_must_not_be_cached(
    running: Running, name: str, path: str, expected: int
) -> None:
    response = running.stranger().get(f"{running.url}{path}?{name}={TOKEN}")
    assert response.status_code == expected
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.behaviour("AMB-27")
def test_links_never_contain_the_token(running: Running) -> None:
    for _ in range(2):
        document = flow()
        assert running.client.put(f"/flows/{document['id']}", json=document).status_code == 201
    response = running.stranger().get(f"{running.url}/flows?access_token={TOKEN}&limit=1")
    assert "access_token" not in response.headers["Link"]
    followed = running.client.get(response.links["next"]["url"])
    assert (followed.status_code, len(followed.json())) == (200, 1)
    assert followed.json() != response.json()


@pytest.mark.behaviour("AUTH-08")
def test_neither_the_data_nor_the_log_holds_a_secret(tmp_path: Path) -> None:
    settings = {
        "TAMS_BOOTSTRAP_TOKEN": SECRET,
        "TAMS_BOOTSTRAP_BASIC": f"{USER}:{PASSWORD}",
        "TAMS_LOG_LEVEL": "DEBUG",
    }
    wrong = "a-token-with-a-slip-of-the-pen"
    encoded = quote(SECRET, safe="")
    with own_server(tmp_path, settings) as subject, httpx.Client(base_url=subject.url) as client:
        document = flow()
        path = f"/flows/{document['id']}"
        in_url = f"access_token={encoded}"
        assert client.put(f"{path}?{in_url}", json=document).status_code == 201
        assert client.get(f"{path}?access%5Ftoken={encoded}&include_timerange=true").status_code == 200
        assert client.get(f"{path}?%61ccess_token={SECRET.replace('+', '%2B')}").status_code == 200
        assert client.get("/service", headers={"Authorization": f"Bearer {SECRET}"}).status_code == 200
        assert client.get("/service", headers=basic(USER, PASSWORD)).status_code == 200
        assert client.get(f"/flows?limit=many&{in_url}").status_code == 400
        assert client.post(f"/service?{in_url}", content=b"{").status_code == 400
        assert client.get(f"/nothing?{in_url}").status_code == 404
        assert client.get(f"/service?access_token={wrong}").status_code == 401
        assert client.get("/service", headers={"Authorization": f"Bearer {wrong}"}).status_code == 401
        [item] = client.post(f"{path}/storage?{in_url}", json={"limit": 1}).json()["media_objects"]
        put_url = item["put_url"]
        client.put(put_url["url"], content=b"media", headers={"Content-Type": put_url["content-type"]})
        assert client.get(f"{put_url['url'].partition('?')[0]}?{in_url}").status_code == 200
        assert client.options(f"/service?{in_url}", headers={"Origin": "https://a.example"}).status_code == 204
        running_files = contents(tmp_path)
    for files in (running_files, contents(tmp_path)):
        for secret in (SECRET, encoded, PASSWORD, wrong, basic(USER, PASSWORD)["Authorization"].split()[1]):
            assert [name for name, content in files.items() if secret.encode() in content] == []
    log = (tmp_path / "server.log").read_text()
    assert f"GET {path}?include_timerange=true 200 " in log
    assert put_url["url"].partition("?")[2] not in log


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below `folder`, by its path."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"server.log", "data/catalog.db"} <= set(found)
    return found


def create_token(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tams_server", "token", "create", "--data-dir", str(folder / "data"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def get_status(url: str, token: str, method: str = "GET", path: str = "/service") -> int:
    return httpx.request(method, url + path, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code


@pytest.mark.behaviour("AUTH-02", "SCOPE-01")
def test_tokens_can_be_created_while_the_server_runs(tmp_path: Path) -> None:
    with own_server(tmp_path) as subject:
        made = create_token(tmp_path, "--name", "reader", "--scopes", "tams-api/read,delete")
        assert (made.returncode, len(made.stdout.split())) == (0, 1), made.stderr
        token = made.stdout.strip()
        path = f"/flows/{fresh()}"
        assert get_status(subject.url, token, "GET", path) == 404
        assert get_status(subject.url, token, "DELETE", path) == 404
        assert get_status(subject.url, token, "PUT", f"{path}/label") == 403
        full = create_token(tmp_path, "--name", "chief", "--scopes", "admin").stdout.strip()
        assert get_status(subject.url, full, "GET", "/flow-delete-requests") == 200
        assert token != full
    for name, content in contents(tmp_path).items():
        assert token.encode() not in content, name
        assert full.encode() not in content, name


@pytest.mark.behaviour("SCOPE-01")
@pytest.mark.parametrize(("scopes", "named"), [("reed", "reed"), ("read write all", "all"), ("", "none")])
def test_a_token_with_unknown_scopes_is_not_created(tmp_path: Path, scopes: str, named: str) -> None:
    made = create_token(tmp_path, "--name", "nobody", "--scopes", scopes)
    assert (made.returncode, made.stdout) == (1, "")
    assert f"scopes must be one or more of read, write, delete, admin, not {named}" in made.stderr


@pytest.mark.behaviour("AUTH-01")
def test_the_first_start_prints_a_token_once(tmp_path: Path) -> None:
    with own_server(tmp_path, NO_BOOTSTRAP) as subject:
        shown = (tmp_path / "server.log").read_text()
        token = shown.partition("Authorization: Bearer ")[2].partition('"')[0]
        assert get_status(subject.url, token, "GET", "/flow-delete-requests") == 200
        assert all(token.encode() not in content for name, content in contents(tmp_path).items() if "data" in name)
    (tmp_path / "server.log").unlink()
    with own_server(tmp_path, NO_BOOTSTRAP) as subject:
        assert "Bearer" not in (tmp_path / "server.log").read_text()
        assert get_status(subject.url, token) == 200


@pytest.mark.behaviour("AUTH-02")
def test_the_bootstrap_token_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token.txt"
    file.write_text("from-a-file\n")
    with own_server(tmp_path, {**NO_BOOTSTRAP, "TAMS_BOOTSTRAP_TOKEN_FILE": str(file)}) as subject:
        assert get_status(subject.url, "from-a-file", "GET", "/flow-delete-requests") == 200
        assert "from-a-file" not in (tmp_path / "server.log").read_text()


@pytest.mark.behaviour("AUTH-04")
def test_another_bootstrap_password_replaces_the_previous_one(tmp_path: Path) -> None:
    for password in ("first", "second"):
        with serving(tmp_path, bootstrap_basic=f"{USER}:{password}") as running:
            accepted = [each for each in ("first", "second") if status(running, basic(USER, each)) == 200]
            assert accepted == [password]


@pytest.mark.behaviour("AUTH-02", "AUTH-05")
def test_another_bootstrap_token_replaces_the_previous_one_only(tmp_path: Path) -> None:
    with serving(tmp_path, bootstrap_token="first") as running:
        other = running.catalog.credentials.add_token("other", ["read"])
    with serving(tmp_path, bootstrap_token="second") as running:
        statuses = [running.bearer(token).get("/service").status_code for token in ("first", "second", other)]
    assert statuses == [401, 200, 200]
