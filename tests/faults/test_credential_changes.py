"""Credentials that are revoked or changed while the processes of a server have them in memory."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from storage.catalog.credential_register import CredentialRegister
from storage.tables import open_engine
from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.server_process import TOKEN, ServerProcess

WITHIN_S = 5.0
CONNECTIONS = 16
PLANTED = "planted-secret-0123456789"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("credentials")
    settings = {"TAMS_WORKERS": "2", "TAMS_AUDIT_LOG": str(folder / "audit.jsonl"), "TAMS_LOG_LEVEL": "DEBUG"}
    with ServerProcess(folder, settings) as server:
        yield server


@pytest.fixture(scope="module")
def register(server: ServerProcess) -> Iterator[CredentialRegister]:
    """The credentials, changed by this process as the commands do it."""
    engine = open_engine(f"sqlite:///{server.folder / 'data' / 'catalog.db'}")
    yield CredentialRegister(engine)
    engine.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def fetch_token(server: ServerProcess, client_id: str, secret: str) -> httpx.Response:
    form = {"grant_type": "client_credentials"}
    return httpx.post(f"{server.url}/oauth2/token", data=form, auth=(client_id, secret), timeout=30)


def statuses(server: ServerProcess, headers: Mapping[str, str]) -> set[int]:
    """The statuses of requests over connections of their own, which reach every process."""

    def status(_: int) -> int:
        return httpx.get(f"{server.url}/service", headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        return set(threads.map(status, range(CONNECTIONS)))


def audited(server: ServerProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (server.folder / "audit.jsonl").read_text().splitlines()]


def test_a_change_is_known_to_every_process_within_five_seconds(
    server: ServerProcess, register: CredentialRegister
) -> None:
    token = register.create("bearer", "camera", ["read"]).secret
    password = register.create("basic", "ann", ["read"]).secret
    secret = register.create("client", "convert", ["read"]).secret
    moved = register.create("basic", "bob", ["read"]).secret
    kept = register.create("bearer", "kept", ["read"]).secret
    issued = fetch_token(server, "convert", secret).json()["access_token"]
    ended = {
        "token": bearer(token),
        "password": basic("ann", password),
        "issued token": bearer(issued),
        "former password": basic("bob", moved),
    }
    for headers in (*ended.values(), bearer(kept)):
        assert statuses(server, headers) == {200}
    register.revoke("bearer", "camera")
    register.revoke("basic", "ann")
    register.rotate("client", "convert")
    new = register.rotate("basic", "bob").secret
    later = register.rotate("bearer", "kept", grace_s=600).secret
    changed = time.monotonic()
    assert fetch_token(server, "convert", secret).status_code == 401
    while time.monotonic() < changed + WITHIN_S - 0.5:
        for name in ("token", "issued token"):  # keeps them in use, which must not keep them valid
            httpx.get(f"{server.url}/service", headers=ended[name], timeout=30)
        time.sleep(0.2)
    time.sleep(max(0.0, changed + WITHIN_S - time.monotonic()))
    found = {name: statuses(server, headers) for name, headers in ended.items()}
    assert found["token"] == found["issued token"] == {401}
    # Passwords that do not match any more count as wrong ones, after ten of which there is a pause.
    assert found["password"] | found["former password"] <= {401, 429}
    for headers in (bearer(kept), bearer(later)):
        assert statuses(server, headers) == {200}
    checked = wait_until(lambda: statuses(server, basic("bob", new)) == {200}, "the new password after the pause", 30)
    assert checked


def test_the_reason_of_a_failed_login_is_audited_and_no_secret_is(
    server: ServerProcess, register: CredentialRegister
) -> None:
    register.create("basic", "eve", ["read"])
    expired = register.create("bearer", "old", ["read"], expires=time.time_ns() // 1000 + 1_000_000).secret
    revoked = register.create("bearer", "gone", ["read"]).secret
    register.revoke("bearer", "gone")
    time.sleep(1)
    url = server.url
    tries = {
        "unknown": bearer(PLANTED),
        "wrong password": basic("eve", PLANTED),
        "expired": bearer(expired),
        "revoked": bearer(revoked),
        "malformed": {"Authorization": f"Digest {PLANTED}"},
    }
    for headers in tries.values():
        assert httpx.get(f"{url}/service", headers=headers, timeout=30).status_code == 401
    assert httpx.get(f"{url}/service?access_token={PLANTED}", timeout=30).status_code == 401
    assert fetch_token(server, "nobody", PLANTED).status_code == 401
    form = {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": PLANTED}
    assert httpx.post(f"{url}/oauth2/token", data=form, timeout=30).status_code == 400
    with server.client() as client:
        document = flow()
        path = f"/flows/{document['id']}"
        assert client.put(f"{path}?access_token={PLANTED}", json=document).status_code == 201
        hook = {"url": f"http://127.0.0.1:9/{PLANTED[:4]}", "events": [], "api_key_name": "X", "api_key_value": PLANTED}
        assert client.post("/service/webhooks", json=hook).status_code == 201
        assert client.put(f"{path}/tags/auth_classes", json=["news_read"]).status_code == 204
        assert client.put(f"{path}/tags/auth_classes", json=["sport_read"]).status_code == 204
        assert client.delete(path).status_code == 204
        client.get(path)
    wait_until(
        lambda: any(each.get("status") == 204 and each["method"] == "DELETE" for each in audited(server)), "audit"
    )
    records = audited(server)
    failed = [each for each in records if each["event"] == "login_failed"]
    assert set(tries) <= {each["reason"] for each in failed}
    by_reason = {each["reason"]: each["principal"] for each in failed}
    assert (by_reason["wrong password"], by_reason["expired"], by_reason["revoked"]) == ("eve", "old", "gone")
    assert [each["principal"] for each in failed if each["operation"] == "token"][-2:] == ["nobody", "nobody"]
    changes = [each for each in records if each.get("resource", "").startswith(path)]
    assert [each["method"] for each in changes] == ["PUT", "PUT", "PUT", "DELETE"]
    assert {each["principal"] for each in changes} == {"bootstrap"}
    assert {each["address"] for each in changes} == {"127.0.0.1"}
    key = f"auth_classes of flow {document['id']}"
    assert changes[2]["changes"] == {key: {"before": ["news_read"], "after": ["sport_read"]}}
    assert changes[3]["changes"] == {key: {"before": ["sport_read"], "after": None}, "segments_deleted": 0}
    for secret in (PLANTED, expired, revoked, TOKEN, basic("eve", PLANTED)["Authorization"][6:]):
        for file in ("audit.jsonl", "server.log"):
            assert secret not in (server.folder / file).read_text(errors="replace")
