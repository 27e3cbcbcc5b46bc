"""Restoration of deleted flows (F13) and deletions that depend on what uses the deleted thing (F3), through HTTP."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.ids import fresh

TAG = "auth_classes"
EVERYTHING = ("read", "write", "delete")

ANY_ID = "0c9d5a3e-3a0b-4e0c-9d0a-6f7f4c3b2a10"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a grace period, and with classes."""
    folder = tmp_path_factory.mktemp("restoration")
    with serving(folder, soft_delete_grace=3600, authorisation="classes", async_deletion_threshold=5) as server:
        yield server


def caller(running: Running, *groups: str, scopes: tuple[str, ...] = EVERYTHING) -> httpx.Client:
    return running.bearer(running.catalog.credentials.add_token(fresh(), scopes, groups=groups))


def put(client: httpx.Client, *classes: str, **members: object) -> Json:
    document = flow(tags={TAG: list(classes)}, **members)
    client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return document


def add_segment(client: httpx.Client, flow_id: str, timerange: str = "[0:0_1:0)", **members: str) -> str:
    segment: Json = {"object_id": fresh(), "timerange": timerange, **members}
    if "object_id" not in members:
        segment["get_urls"] = [{"label": "elsewhere", "url": "https://media.example/object"}]
    client.post(f"/flows/{flow_id}/segments", json=segment).raise_for_status()
    return str(segment["object_id"])


def ids(client: httpx.Client, path: str) -> list[str]:
    return [item["id"] for item in client.get(path).raise_for_status().json()]


def test_a_flow_is_deleted_listed_and_restored(running: Running) -> None:
    client = running.client
    document = put(client)
    path, source = f"/flows/{document['id']}", f"/sources/{document['source_id']}"
    object_id = add_segment(client, document["id"])
    before = client.get(path)
    assert client.delete(path).status_code == 204
    for gone in (path, source, f"/objects/{object_id}"):
        assert client.get(gone).status_code == client.head(gone).status_code == 404
    assert client.get(f"{path}/segments").json() == []
    assert client.post(f"{path}/segments", json={"object_id": object_id, "timerange": "_"}).status_code == 404
    shown = client.get(path, params={"deleted": "true"}).json()
    assert {"deleted", "deleted_by", "restorable_until"} <= shown.keys()
    assert document["id"] in ids(client, f"/flows?deleted=true&source_id={document['source_id']}")
    assert document["source_id"] in ids(client, "/sources?deleted=true")
    assert document["id"] not in ids(client, "/flows")
    taken = caller(running, "admin", scopes=("write",)).put(path, json=document)
    assert (taken.status_code, taken.json()["code"]) == (409, "flow.restorable")
    assert client.post(f"{path}/restore").status_code == 204
    assert client.post(f"{path}/restore").status_code == 404
    assert client.get(path).json() == before.json()
    assert client.get(source).status_code == client.get(f"/objects/{object_id}").status_code == 200


def test_a_flow_can_be_deleted_for_good_at_once(running: Running) -> None:
    client = running.client
    document = put(client)
    path = f"/flows/{document['id']}"
    for second in range(6):
        add_segment(client, document["id"], f"[{second}:0_{second + 1}:0)")
    assert client.delete(path, params={"deleted": "true"}).status_code == 404
    assert client.delete(path).status_code == 204
    response = client.delete(path, params={"deleted": "true"})
    assert (response.status_code, response.json()["delete_flow"]) == (202, True)
    assert client.get(response.headers["Location"]).json()["flow_id"] == document["id"]
    assert client.post(f"{path}/restore").status_code == 404


@pytest.mark.parametrize("path", ["/flows", "/sources", f"/flows/{ANY_ID}", f"/sources/{ANY_ID}"])
def test_deleted_resources_are_shown_to_callers_that_may_delete_only(running: Running, path: str) -> None:
    reader = running.with_scopes("read")
    response = reader.get(path, params={"deleted": "true"})
    assert (response.status_code, response.json()["code"]) == (403, "deleted.not_permitted")
    assert reader.get("/flows", params={"deleted": "false"}).status_code == 200


def test_classes_decide_who_sees_and_restores_a_deleted_flow(running: Running) -> None:
    document = put(running.client, "news_read", "news_delete")
    path = f"/flows/{document['id']}"
    desk, reader = caller(running, "news_read", "news_delete"), caller(running, "news_read")
    other = caller(running, "sport_read", "sport_write", "sport_delete")
    assert desk.delete(path).status_code == 204
    for client, status in ((other, 404), (reader, 403)):
        assert document["id"] not in ids(client, "/flows?deleted=true")
        assert client.get(path, params={"deleted": "true"}).status_code == status
        assert client.post(f"{path}/restore").status_code == status
        assert client.delete(path, params={"deleted": "true"}).status_code == status
    assert other.put(path, json=document).status_code == 404
    assert ids(desk, f"/flows?deleted=true&source_id={document['source_id']}") == [document["id"]]
    assert desk.post(f"{path}/restore").status_code == 204
    assert desk.get(path).status_code == 200
    assert other.get(path).status_code == 404


def test_dependents_are_counted_and_named(running: Running) -> None:
    document = put(running.client)
    object_id = add_segment(running.client, document["id"])
    response = running.client.delete(f"/flows/{document['id']}", params={"cascade": "false"})
    problem = response.json()
    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (problem["code"], problem["type"]) == ("flow.in_use", "urn:x-tams-server:problem:in-use")
    assert problem["dependents"]["segments"]["first"] == [{"timerange": "[0:0_1:0)", "object_id": object_id}]
    assert running.client.get(f"/flows/{document['id']}").status_code == 200


def test_a_caller_that_may_not_read_a_flow_is_told_nothing_of_its_dependents(running: Running) -> None:
    document = put(running.client, "news_read", "news_delete")
    add_segment(running.client, document["id"])
    path = f"/flows/{document['id']}?cascade=false"
    for blind in (caller(running, "news_delete"), caller(running, "news_read", "news_delete", scopes=("delete",))):
        response = blind.delete(path)
        assert response.status_code == 409
        assert "dependents" not in response.json()
        assert "segments" not in response.json()["detail"]


def test_flows_that_the_caller_may_not_see_are_no_dependents_of_segments(running: Running) -> None:
    recording = put(running.client, "news_read", "news_delete")
    hidden = put(running.client, "sport_read")
    object_id = add_segment(running.client, recording["id"])
    add_segment(running.client, hidden["id"], object_id=object_id)
    path = f"/flows/{recording['id']}/segments?cascade=false"
    assert running.client.delete(path).status_code == 409
    assert caller(running, "news_read", "news_delete").delete(path).status_code == 204
    assert running.client.get(f"/objects/{object_id}").json()["referenced_by_flows"] == [hidden["id"]]


def test_a_source_is_deleted_with_all_flows_or_with_none(running: Running) -> None:
    source_id = fresh()
    ours = put(running.client, "news_read", "news_delete", source_id=source_id)
    theirs = put(running.client, "sport_read", source_id=source_id)
    desk, path = caller(running, "news_read", "news_delete"), f"/sources/{source_id}"
    refused = desk.delete(path)
    assert refused.status_code == 409
    assert refused.json()["dependents"]["flows"] == {"count": 1, "more": False, "first": [{"id": ours["id"]}]}
    forbidden = desk.delete(path, params={"cascade": "true"})
    assert forbidden.status_code == 403
    assert theirs["id"] not in forbidden.text
    assert caller(running, "sport_read").delete(path).status_code == 404
    accepted = running.client.delete(path, params={"cascade": "true"})
    assert (accepted.status_code, accepted.json()["flows_to_delete"]) == (202, 2)
    assert running.client.get(accepted.headers["Location"]).json()["source_id"] == source_id


@pytest.mark.parametrize(
    "path", ["/flows/{}?cascade=maybe", "/flows/{}/segments?cascade=1", "/sources/{}?cascade=", "/flows/{}?deleted=x"]
)
def test_parameters_of_deletions_are_true_or_false(running: Running, path: str) -> None:
    document = put(running.client)
    id_ = document["source_id"] if path.startswith("/sources") else document["id"]
    response = running.client.delete(path.format(id_))
    assert response.status_code == 400
    assert response.json()["field"] in ("cascade", "deleted")
    assert running.client.delete(path.format(fresh())).status_code == 404


def test_a_flow_does_not_return_to_a_source_that_others_have_made_since(running: Running) -> None:
    desk = caller(running, "news_read", "news_write", "news_delete")
    document = put(desk, "news_read", "news_write", "news_delete")
    path = f"/flows/{document['id']}"
    assert desk.delete(path).status_code == 204
    put(running.client, "sport_read", source_id=document["source_id"])
    assert desk.post(f"{path}/restore").status_code == 404
    assert document["id"] in ids(desk, "/flows?deleted=true")
    assert running.client.post(f"{path}/restore").status_code == 204
    assert desk.get(path).status_code == 200


def test_a_source_without_flows_is_deleted_at_once(running: Running) -> None:
    source = {"id": fresh(), "format": "urn:x-nmos:format:video"}
    running.client.post("/sources", json=source).raise_for_status()
    path = f"/sources/{source['id']}"
    assert running.client.delete(path, headers={"If-Match": '"another"'}).status_code == 412
    assert (
        running.client.delete(path, headers={"If-Match": running.client.get(path).headers["ETag"]}).status_code == 204
    )
    assert running.client.get(path).status_code == running.client.delete(path).status_code == 404


def test_a_request_for_a_source_names_no_flow_to_those_that_may_not_delete_the_source(running: Running) -> None:
    source_id = fresh()
    ours = put(running.client, "news_read", "news_delete", source_id=source_id)
    hidden = put(running.client, "sport_read", source_id=source_id)
    accepted = running.client.delete(f"/sources/{source_id}", params={"cascade": "true"})
    location = accepted.headers["Location"]
    assert caller(running, "news_read", "news_delete").get(location).status_code == 200
    response = caller(running, "news_read").get(location)
    assert (response.status_code, response.json()["field"]) == (403, "source_id")
    assert ours["id"] not in response.text
    assert hidden["id"] not in response.text


def test_a_deletion_for_good_needs_the_entity_tag_that_the_client_names(running: Running) -> None:
    client = running.client
    path = f"/flows/{put(client)['id']}"
    client.delete(path).raise_for_status()
    stale = client.delete(path, params={"deleted": "true"}, headers={"If-Match": '"another"'})
    assert stale.status_code == 412
    shown = client.get(path, params={"deleted": "true"})
    done = client.delete(path, params={"deleted": "true"}, headers={"If-Match": shown.headers["ETag"]})
    assert done.status_code == 204
    assert client.get(path, params={"deleted": "true"}).status_code == 404


@pytest.mark.parametrize(
    ("method", "query", "field"),
    [
        ("DELETE", "cascade=false", "cascade"),
        ("DELETE", "cascade=maybe", "cascade"),
        ("GET", "timerange=x", "timerange"),
    ],
)
def test_an_invalid_request_about_a_deleted_flow_names_the_parameter(
    running: Running, method: str, query: str, field: str
) -> None:
    client = running.client
    path = f"/flows/{put(client)['id']}?deleted=true&{query}"
    assert client.request(method, path).status_code == 404
    client.delete(path.partition("?")[0]).raise_for_status()
    response = client.request(method, path)
    assert (response.status_code, response.json()["field"]) == (400, field)
    assert caller(running, "sport_read").request(method, path).status_code == 404
    reader = caller(running, "sport_read", scopes=("read",))
    assert reader.request(method, path).status_code == 403


@pytest.mark.parametrize("path", ["/flows", "/sources"])
def test_deleted_resources_are_not_listed_by_the_collections_that_they_were_in(running: Running, path: str) -> None:
    response = running.client.get(path, params={"deleted": "true", "collected_by_ids": fresh()})
    assert (response.status_code, response.json()["code"]) == (400, "deleted.parameter")


@pytest.mark.parametrize("kind", ["flow", "source"])
def test_a_restoration_needs_the_entity_tag_that_the_client_names(running: Running, kind: str) -> None:
    client = running.client
    document = put(client)
    client.delete(f"/flows/{document['id']}").raise_for_status()
    path = f"/flows/{document['id']}" if kind == "flow" else f"/sources/{document['source_id']}"
    assert client.post(f"{path}/restore", headers={"If-Match": '"another"'}).status_code == 412
    assert client.get(f"/flows/{document['id']}").status_code == 404
    shown = client.get(path, params={"deleted": "true"})
    assert client.post(f"{path}/restore", headers={"If-Match": shown.headers["ETag"]}).status_code == 204
    assert client.get(f"/flows/{document['id']}").status_code == 200
