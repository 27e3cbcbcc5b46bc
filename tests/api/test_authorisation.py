"""Fine-grained authorisation through HTTP: the newsroom of docs/authorisation.md, each row of its table of operations,
and that what is hidden looks like what is not there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.counted_work import CountedWork
from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.operations import Operation, operations

PAGE = Path(__file__).parents[2] / "docs" / "authorisation.md"
TAG = "auth_classes"
DESK = ("read", "write", "delete")


@dataclass
class Newsroom:
    """The server of the example. admin: with the scope admin; the others with the groups of their names."""

    running: Running
    admin: httpx.Client
    news: httpx.Client
    sport: httpx.Client
    agency: httpx.Client

    def caller(self, *groups: str, scopes: tuple[str, ...] = DESK) -> httpx.Client:
        """Return a client of a new principal with these groups."""
        token = self.running.catalog.credentials.add_token(fresh(), scopes, groups=groups)
        return self.running.bearer(token)

    def put_flow(self, client: httpx.Client, **members: Any) -> Json:
        document = flow(**members)
        response = client.put(f"/flows/{document['id']}", json=document)
        assert response.status_code == 201, response.text
        return document

    def add_segment(self, client: httpx.Client, flow_id: str, timerange: str = "[0:0_1:0)") -> str:
        """Allocate an object, register it in the flow, and return its id."""
        allocated = client.post(f"/flows/{flow_id}/storage", json={"limit": 1})
        assert allocated.status_code == 201, allocated.text
        object_id: str = allocated.json()["media_objects"][0]["object_id"]
        segment = {"object_id": object_id, "timerange": timerange}
        assert client.post(f"/flows/{flow_id}/segments", json=segment).status_code == 201
        return object_id


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    folder = tmp_path_factory.mktemp("newsroom")
    rules = folder / "newsroom.yaml"
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    rules.write_text(found[1])
    with serving(
        folder / "data", authorisation="classes", authorisation_rules=rules, async_deletion_threshold=1
    ) as running:
        credentials = running.catalog.credentials

        def client(name: str, scopes: tuple[str, ...], *groups: str) -> httpx.Client:
            return running.bearer(credentials.add_token(name, scopes, groups=groups))

        yield Newsroom(
            running,
            running.client,
            client("newsdesk", DESK, "news_read", "news_write", "news_delete"),
            client("sportsdesk", DESK, "sport_read", "sport_write", "sport_delete"),
            client("agency", ("write",), "agency_write"),
        )


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> CountedWork:
    return CountedWork(monkeypatch)


def ids(client: httpx.Client, path: str) -> list[str]:
    return [item["id"] for item in client.get(path).raise_for_status().json()]


def test_the_newsroom_of_the_documentation(newsroom: Newsroom) -> None:
    document = newsroom.put_flow(newsroom.agency)
    path = f"/flows/{document['id']}"
    object_id = newsroom.add_segment(newsroom.agency, document["id"])
    assert newsroom.agency.get(path).status_code == 403

    assert document["id"] in ids(newsroom.news, "/flows")
    assert document["source_id"] in ids(newsroom.news, "/sources")
    classes = newsroom.news.get(f"{path}/tags/{TAG}").json()
    assert classes == ["agency_write", "news_delete", "news_read", "news_write"]
    assert newsroom.sport.get(path).status_code == 404
    assert document["id"] not in ids(newsroom.sport, "/flows")
    assert newsroom.sport.get(f"/objects/{object_id}").status_code == 404

    assert newsroom.news.put(f"{path}/tags/{TAG}", json=[*classes, "sport_read"]).status_code == 204
    assert newsroom.sport.get(path).status_code == 200
    assert newsroom.sport.put(f"{path}/label", json="ours").status_code == 403

    highlight = newsroom.put_flow(newsroom.sport)
    segment = {"object_id": object_id, "timerange": "[0:0_1:0)"}
    assert newsroom.sport.post(f"/flows/{highlight['id']}/segments", json=segment).status_code == 201

    assert newsroom.news.put(f"{path}/tags/{TAG}", json=classes).status_code == 204
    assert newsroom.sport.get(path).status_code == 404
    found = newsroom.sport.get(f"/objects/{object_id}").json()
    assert found["referenced_by_flows"] == [highlight["id"]]
    assert "first_referenced_by_flow" not in found


@pytest.fixture(scope="module")
def hidden(newsroom: Newsroom) -> dict[str, str]:
    """The ids of resources of each kind that sport may not know of, by path parameter."""
    document = newsroom.put_flow(newsroom.news, tags={"genre": "news", TAG: ["news_read", "news_write", "news_delete"]})
    object_id = newsroom.add_segment(newsroom.news, document["id"])
    hook = {"url": "https://192.0.2.1/hook", "events": ["flows/created"], "tags": {TAG: ["news_read"]}}
    webhook = newsroom.admin.post("/service/webhooks", json={**hook, "url": "https://93.184.215.14/hook"})
    assert webhook.status_code == 201, webhook.text
    deleted = newsroom.put_flow(newsroom.news)
    for second in range(2):
        newsroom.add_segment(newsroom.news, deleted["id"], f"[{second}:0_{second + 1}:0)")
    request = newsroom.news.delete(f"/flows/{deleted['id']}")
    assert request.status_code == 202
    return {
        "flowId": document["id"],
        "sourceId": document["source_id"],
        "objectId": object_id,
        "webhookId": webhook.json()["id"],
        "request-id": request.json()["id"],
        "name": "genre",
        "profileId": fresh(),
    }


BODIES: dict[str, Any] = {
    "tags": "value",
    "label": "a label",
    "description": "a description",
    "read_only": True,
    "flow_collection": [],
    "max_bit_rate": 5,
    "avg_bit_rate": 5,
    "segments": {"object_id": "new", "timerange": "[0:0_1:0)"},
    "storage": {"limit": 1},
    "instances": {"url": "https://93.184.215.14/x", "label": "elsewhere"},
}
_ADDRESSED = [each for each in operations() if "{" in each.path and "profile" not in each.path]
_VARYING = {"date", "x-request-id", "server-timing", "x-response-time"}


def _request(client: httpx.Client, operation: Operation, values: dict[str, str], **headers: str) -> httpx.Response:
    part = [each for each in operation.path.split("/") if not each.startswith("{")][-1]
    body = None
    if operation.body:
        body = BODIES.get(part)
        if operation.id.startswith("PUT_webhooks"):
            body = {"id": values["webhookId"], "url": "https://93.184.215.14/x", "events": [], "status": "created"}
    params = {"storage_id": fresh()} if operation.method == "DELETE" and part == "instances" else None
    return client.request(operation.method, operation.url(values), json=body, headers=headers, params=params)


def _seen(response: httpx.Response, values: dict[str, str]) -> tuple[int, str, dict[str, str]]:
    text = response.text
    for value in values.values():
        text = text.replace(value, "ID")
    headers = {name: value for name, value in response.headers.items() if name not in _VARYING}
    return response.status_code, re.sub(r'"(request_id|time)":"[^"]*"', "", text), headers


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("operation", [each for each in _ADDRESSED if each.id != "PUT_flows-flowId"], ids=str)
def test_what_is_hidden_looks_like_what_is_not_there(
    newsroom: Newsroom, hidden: dict[str, str], work: CountedWork, operation: Operation, conditional: bool
) -> None:
    """Nor does it take other work, which would show in the time that it takes.

    PUT of a flow is the exception, since it creates a flow that is not there.
    """
    absent = {**{name: fresh() for name in hidden}, "name": "genre"}
    headers = {"If-Match": '"anything"', "If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"} if conditional else {}
    ours, our_work = work.of(lambda: _request(newsroom.sport, operation, hidden, **headers))
    theirs, their_work = work.of(lambda: _request(newsroom.sport, operation, absent, **headers))
    assert _seen(ours, hidden) == _seen(theirs, absent)
    if "request-id" in operation.path:
        # The classes are in the row of the request, whose id nobody else has been told.
        our_work, their_work = ([each for each in done if each[0] != "rows"] for done in (our_work, their_work))
    assert our_work == their_work
    assert our_work, "nothing was counted"
    if operation.path != "/flows/{flowId}/segments" or operation.method not in ("GET", "HEAD"):
        assert ours.status_code == 404, ours.text


@pytest.mark.parametrize("operation", [each for each in _ADDRESSED if each.body], ids=str)
def test_an_invalid_request_does_not_tell_either(
    newsroom: Newsroom, hidden: dict[str, str], work: CountedWork, operation: Operation
) -> None:
    absent = {**{name: fresh() for name in hidden}, "name": "genre"}
    (ours, our_work), (theirs, their_work) = (
        work.of(partial(newsroom.sport.request, operation.method, operation.url(values), json={"no": "such member"}))
        for values in (hidden, absent)
    )
    assert _seen(ours, hidden) == _seen(theirs, absent)
    assert our_work == their_work


@pytest.mark.parametrize("operation", _ADDRESSED, ids=str)
def test_another_permission_is_not_enough(newsroom: Newsroom, operation: Operation) -> None:
    """A caller with each permission alone gets 403 where it needs another one, and never 404."""
    if "objectId" in operation.path or "request-id" in operation.path or "webhookId" in operation.path:
        pytest.skip("these have tests of their own")
    deletes = operation.id in ("DELETE_flows-flowId", "DELETE_flows-flowId-segments")
    needed = "read" if operation.method in ("GET", "HEAD") else "delete" if deletes else "write"
    for permission in DESK:
        classes = [f"alone_{each}" for each in DESK]
        document = newsroom.put_flow(newsroom.admin, tags={"genre": "news", TAG: classes}, label="x")
        values = {"flowId": document["id"], "sourceId": document["source_id"], "name": "genre"}
        with newsroom.caller(f"alone_{permission}") as client:
            if operation.id == "PUT_flows-flowId":
                response = client.put(f"/flows/{document['id']}", json=document)
            else:
                response = _request(client, operation, values)
            assert (response.status_code == 403) == (permission != needed), response.text


def test_objects_and_their_instances(newsroom: Newsroom, hidden: dict[str, str]) -> None:
    document = newsroom.put_flow(newsroom.admin, tags={TAG: ["r_read", "w_write"]})
    object_id = newsroom.add_segment(newsroom.admin, document["id"])
    instances = f"/objects/{object_id}/instances"
    body = {"url": "https://93.184.215.14/x", "label": "elsewhere"}
    with newsroom.caller("r_read") as reader, newsroom.caller("w_write") as writer:
        assert reader.get(f"/objects/{object_id}").json()["get_urls"] == []
        assert reader.post(instances, json=body).status_code == 403
        assert writer.get(f"/objects/{object_id}").status_code == 404
        assert writer.post(instances, json=body).status_code == 201
        assert [url["label"] for url in reader.get(f"/objects/{object_id}").json()["get_urls"]] == ["elsewhere"]
        assert reader.delete(instances, params={"label": "elsewhere"}).status_code == 403
        assert writer.delete(instances, params={"label": "elsewhere"}).status_code == 204
        assert writer.post(f"/flows/{document['id']}/storage", json={}).status_code == 400
    with newsroom.caller("r_read", "news_read") as reader:
        assert reader.get(f"/objects/{object_id}").json()["get_urls"] != []
    plain = newsroom.admin.get(f"/objects/{object_id}", params={"presigned": "false"}).json()["get_urls"][0]["url"]
    assert newsroom.sport.get(plain).status_code == 404


def test_objects_of_others_cannot_be_used(newsroom: Newsroom, hidden: dict[str, str]) -> None:
    own = newsroom.put_flow(newsroom.sport)
    path = f"/flows/{own['id']}/segments"
    seen = []
    for object_id in (hidden["objectId"], fresh()):
        response = newsroom.sport.post(path, json={"object_id": object_id, "timerange": "[0:0_1:0)"})
        assert response.status_code == 400
        seen.append(_seen(response, {"object": object_id}))
    assert seen[0] == seen[1]
    url = {"url": "https://93.184.215.14/x", "label": "mine"}
    segment = {"object_id": hidden["objectId"], "timerange": "[0:0_1:0)", "get_urls": [url]}
    assert newsroom.sport.post(path, json=segment).status_code == 400
    assert newsroom.sport.get(f"/objects/{hidden['objectId']}").status_code == 404


def test_new_flows_need_classes_and_a_source_that_may_be_written(newsroom: Newsroom, hidden: dict[str, str]) -> None:
    with newsroom.caller("other_write", "other_read") as client:
        document = flow()
        response = client.put(f"/flows/{document['id']}", json=document)
        assert response.status_code == 403
        assert "classes" in response.json()["message"]
        for classes, status in ((["other_delete"], 403), (["other_read", "other_write"], 201), (["else_read"], 201)):
            document = flow(tags={TAG: classes})
            assert client.put(f"/flows/{document['id']}", json=document).status_code == status
        document = flow(source_id=hidden["sourceId"], tags={TAG: ["other_read"]})
        assert client.put(f"/flows/{document['id']}", json=document).status_code == 404
    with newsroom.caller("news_read", "other_write") as client:
        document = flow(source_id=hidden["sourceId"], tags={TAG: ["other_read"]})
        assert client.put(f"/flows/{document['id']}", json=document).status_code == 403
    with newsroom.caller("news_read") as client:
        document = flow(tags={TAG: ["news_read"]})
        assert client.put(f"/flows/{document['id']}", json=document).status_code == 403
    document = flow(source_id=hidden["sourceId"])
    assert newsroom.news.put(f"/flows/{document['id']}", json=document).status_code == 201


@pytest.mark.parametrize("way", ["tag", "deletion of the tag", "whole flow", "whole flow without tags"])
def test_nobody_gives_or_takes_what_they_lack(newsroom: Newsroom, way: str) -> None:
    classes = ["x_read", "x_write", "x_delete"]
    document = newsroom.put_flow(newsroom.admin, tags={TAG: classes})
    path = f"/flows/{document['id']}"

    def change(client: httpx.Client) -> int:
        if way == "tag":
            return client.put(f"{path}/tags/{TAG}", json=["x_read", "x_write"]).status_code
        if way == "deletion of the tag":
            return client.delete(f"{path}/tags/{TAG}").status_code
        tags = {TAG: ["x_read", "x_write", "x_delete", "y_delete"]} if way == "whole flow" else None
        body = {name: value for name, value in {**document, "tags": tags}.items() if value is not None}
        return client.put(path, json=body).status_code

    with newsroom.caller("x_read", "x_write") as without, newsroom.caller("x_read", "x_write", "x_delete") as with_all:
        assert change(without) == 403
        assert newsroom.admin.get(f"{path}/tags/{TAG}").json() == classes
        assert change(with_all) == 204


def test_webhooks_need_what_their_filters_name(newsroom: Newsroom, hidden: dict[str, str]) -> None:
    own = newsroom.put_flow(newsroom.sport)
    body = {"url": "https://93.184.215.14/hook", "events": ["flows/created"]}
    seen = []
    for flow_id in (hidden["flowId"], fresh()):
        response = newsroom.sport.post("/service/webhooks", json={**body, "flow_ids": [own["id"], flow_id]})
        assert response.status_code == 400
        seen.append(_seen(response, {"flow": flow_id}))
    assert seen[0] == seen[1]
    created = newsroom.sport.post("/service/webhooks", json={**body, "flow_ids": [own["id"]]})
    assert created.status_code == 201
    assert created.json()["tags"][TAG] == ["sport_delete", "sport_read", "sport_write"]
    path = f"/service/webhooks/{created.json()['id']}"
    with newsroom.caller("sport_read") as reader:
        assert reader.get(path).status_code == 200
        assert reader.put(path, json={**created.json(), "status": "created"}).status_code == 403
        assert reader.delete(path).status_code == 403
    assert created.json()["id"] not in ids(newsroom.news, "/service/webhooks")
    changed = {**body, "id": created.json()["id"], "status": "created", "source_ids": [hidden["sourceId"]]}
    assert newsroom.sport.put(path, json=changed).status_code == 400
    assert newsroom.sport.delete(path).status_code == 204


def test_storage_backends_and_delete_requests(newsroom: Newsroom, hidden: dict[str, str]) -> None:
    assert len(ids(newsroom.sport, "/service/storage-backends")) == 1
    request = f"/flow-delete-requests/{hidden['request-id']}"
    assert newsroom.news.get(request).status_code == 200
    with newsroom.caller("other_read") as client, newsroom.caller("news_read") as reader:
        assert ids(client, "/service/storage-backends") == []
        assert client.get(request).status_code == 404
        assert reader.get(request).status_code == 403


def test_a_flow_collects_only_what_the_caller_may_read(newsroom: Newsroom, hidden: dict[str, str]) -> None:
    collector = newsroom.put_flow(newsroom.sport, format=MULTI, codec=None, container=None, avg_bit_rate=None,
                                  segment_duration=None, essence_parameters=None)  # fmt: skip
    seen = []
    for member in (hidden["flowId"], fresh()):
        path = f"/flows/{collector['id']}/flow_collection"
        response = newsroom.sport.put(path, json=[{"id": member, "role": "video"}])
        assert response.status_code == 400
        seen.append(_seen(response, {"member": member}))
    assert seen[0] == seen[1]
