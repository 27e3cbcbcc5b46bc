"""The scopes that each operation requires (application note 0016, SCOPE-*)."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.operations import Operation, operations

SCOPES = ("read", "write", "delete", "admin")
NAMES = ("flowId", "sourceId", "objectId", "profileId", "webhookId", "request-id", "name")
PUBLIC = ("/", "/service", "/service/storage-backends")
DELETING = ("/flows/{flowId}", "/flows/{flowId}/segments")


def permitted(operation: Operation) -> set[str]:
    """Return the scopes that permit the operation, each by itself, as in the table of application note 0016."""
    reading = operation.method in ("GET", "HEAD")
    if reading and operation.path in PUBLIC:
        return set(SCOPES)
    if operation.path in ("/service", "/flow-delete-requests", "/compliance", "/jobs"):
        return {"admin"}
    if operation.path == "/flow-delete-requests/{request-id}":
        return {"admin", "delete"}
    if reading:
        return {"admin", "read"}
    if operation.method == "DELETE" and operation.path in DELETING:
        return {"admin", "delete"}
    if operation.path.startswith("/service/webhooks") and operation.method in ("POST", "PUT"):
        return {"admin"}  # or read and write together
    return {"admin", "write"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("scopes")) as running:
        yield running


@pytest.fixture(scope="module")
def clients(running: Running) -> Iterator[dict[str, httpx.Client]]:
    """A client for each scope, with that scope only."""
    made = {scope: running.with_scopes(scope) for scope in SCOPES}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture
def made(running: Running) -> Json:
    """A new flow."""
    document = flow()
    assert running.client.put(f"/flows/{document['id']}", json=document).status_code == 201
    return document


def missing_resource(operation: Operation) -> str:
    return operation.url({name: fresh() for name in NAMES})


@pytest.mark.behaviour(
    "SCOPE-01", "SCOPE-02", "SCOPE-03", "SCOPE-04", "SCOPE-05", "SCOPE-06", "SCOPE-07", "SCOPE-08", "SCOPE-09",
    "AUTH-06", "SVC-POST-04", "AMB-25", "AMB-26",
)  # fmt: skip
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("operation", operations(), ids=str)
def test_each_scope_permits_its_operations_only(
    clients: dict[str, httpx.Client], operation: Operation, scope: str
) -> None:
    response = clients[scope].request(operation.method, missing_resource(operation))
    assert (response.status_code != 403) == (scope in permitted(operation))
    assert response.status_code != 401


@pytest.mark.behaviour("SCOPE-03", "AUTH-06", "SVC-POST-04")
def test_the_error_names_the_required_scope(clients: dict[str, httpx.Client]) -> None:
    response = clients["write"].post("/service", json={"name": "Renamed"})
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "auth.scope"
    assert response.json()["message"] == "POST /service requires the scope tams-api/admin"
    assert "WWW-Authenticate" not in response.headers
    assert "name" not in clients["admin"].get("/service").json()


@pytest.mark.behaviour("SCOPE-04", "SCOPE-09")
@pytest.mark.parametrize(
    "content", [b"{", b"", b"[" * 100_000, b"x" * 20_000_000], ids=["malformed", "empty", "deep", "large"]
)
def test_the_scope_is_checked_before_the_body(clients: dict[str, httpx.Client], made: Json, content: bytes) -> None:
    response = clients["read"].put(f"/flows/{made['id']}/label", content=content)
    assert response.status_code == 403


@pytest.mark.behaviour("SCOPE-04", "AUTHZ-03")
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(("method", "scope"), [("GET", "write"), ("DELETE", "read"), ("DELETE", "write")])
def test_the_error_does_not_reveal_whether_the_flow_exists(
    clients: dict[str, httpx.Client], made: Json, method: str, scope: str, exists: bool
) -> None:
    path = f"/flows/{made['id'] if exists else fresh()}"
    response = clients[scope].request(method, path)
    assert response.status_code == 403
    assert response.json()["message"].startswith(f"{method} /flows/{{flowId}} requires the scope ")


@pytest.mark.behaviour("SCOPE-04", "SCOPE-05", "SCOPE-09")
def test_the_delete_scope_permits_deleting_flows_only(clients: dict[str, httpx.Client], made: Json) -> None:
    path = f"/flows/{made['id']}"
    assert clients["delete"].get(path).status_code == 403
    assert clients["delete"].delete(f"{path}/label").status_code == 403
    assert clients["delete"].delete(path).status_code == 204
    assert clients["read"].get(path).status_code == 404


@pytest.mark.behaviour("SCOPE-05")
def test_the_write_scope_permits_deleting_members_but_not_flows(clients: dict[str, httpx.Client], made: Json) -> None:
    path = f"/flows/{made['id']}"
    assert clients["write"].put(f"{path}/label", json="a label").status_code == 204
    assert clients["write"].delete(f"{path}/label").status_code == 204
    assert clients["write"].delete(path).status_code == 403
    assert clients["write"].delete(f"{path}/segments").status_code == 403
    assert clients["read"].get(path).status_code == 200


@pytest.mark.behaviour("SCOPE-07", "SCOPE-09", "DEL-01")
def test_the_delete_scope_permits_following_a_deletion(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("deletion"), async_deletion_threshold=0) as running:
        document = flow()
        flow_path = f"/flows/{document['id']}"
        assert running.client.put(flow_path, json=document).status_code == 201
        [item] = running.client.post(f"{flow_path}/storage", json={"limit": 1}).json()["media_objects"]
        segment = {"object_id": item["object_id"], "timerange": "[0:0_10:0)"}
        assert running.client.post(f"{flow_path}/segments", json=segment).status_code == 201
        with running.with_scopes("delete") as deleter, running.with_scopes("read", "write") as other:
            accepted = deleter.delete(flow_path)
            assert accepted.status_code == 202
            request = accepted.headers["Location"]
            assert deleter.get(request).json()["flow_id"] == document["id"]
            assert other.get(request).status_code == 403
            assert deleter.get("/flow-delete-requests").status_code == 403


@pytest.mark.behaviour("SCOPE-01")
def test_scopes_of_one_token_are_combined(running: Running, made: Json) -> None:
    with running.with_scopes("read", "delete") as client:
        assert client.get(f"/flows/{made['id']}").status_code == 200
        assert client.put(f"/flows/{made['id']}/label", json="a label").status_code == 403
        assert client.delete(f"/flows/{made['id']}").status_code == 204


@pytest.mark.behaviour("AUTH-11", "SCOPE-04")
@pytest.mark.parametrize(
    ("scope", "method", "status"),
    [
        ("read", "GET", 200),
        ("read", "HEAD", 200),
        ("write", "GET", 403),
        ("delete", "GET", 403),
        ("admin", "GET", 200),
        ("read", "PUT", 403),
        ("delete", "PUT", 403),
        ("write", "PUT", 200),
        ("admin", "PUT", 200),
    ],
)
def test_media_require_the_same_scopes(
    running: Running, clients: dict[str, httpx.Client], made: Json, scope: str, method: str, status: int
) -> None:
    [item] = running.client.post(f"/flows/{made['id']}/storage", json={"limit": 1}).json()["media_objects"]
    put_url = item["put_url"]
    content_type = {"Content-Type": put_url["content-type"]}
    if method != "PUT":
        assert httpx.put(put_url["url"], content=b"media", headers=content_type).status_code == 200
    plain = put_url["url"].partition("?")[0]
    body = {"content": b"media", "headers": content_type} if method == "PUT" else {}
    assert clients[scope].request(method, plain, **body).status_code == status  # type: ignore[arg-type]
