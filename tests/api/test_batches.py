"""F5 and F6: flows, sources and objects that are created by POST, one or many in one request (docs/batches.md)."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.conformance.kit.ids import fresh

VIDEO = "urn:x-nmos:format:video"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("batches")) as running:
        yield running


@pytest.fixture
def client(running: Running) -> httpx.Client:
    return running.client


def new_flow(**members: Any) -> Json:
    """A flow without an id."""
    return {name: value for name, value in flow(**members).items() if name != "id"}


def collecting(*members: Json, **others: Any) -> Json:
    items = [{"id": member["id"], "role": "video"} for member in members]
    return {"id": fresh(), "source_id": fresh(), "format": MULTI, "flow_collection": items, **others}


def without(document: Json, *names: str) -> Json:
    return {name: value for name, value in document.items() if name not in names}


def created(response: httpx.Response) -> Any:
    assert response.status_code == 201, response.text
    return response.json()


def failed(response: httpx.Response, name: str) -> dict[int, Json]:
    """The errors of the items that failed, by their places in the request."""
    assert response.status_code == 200, response.text
    return {item["index"]: item["error"] for item in response.json()[f"failed_{name}"]}


@pytest.mark.parametrize("name", ["flows", "sources"])
def test_one_is_created_with_an_id_and_a_location(client: httpx.Client, name: str) -> None:
    """F5."""
    response = client.post(f"/{name}", json=new_flow(label="Camera") if name == "flows" else {"format": VIDEO})
    document = created(response)
    assert response.headers["Location"].endswith(f"/{name}/{document['id']}")
    assert client.get(response.headers["Location"]).json() == document


def test_a_flow_is_created_as_by_put(client: httpx.Client) -> None:
    """F5: the same members, times and source, whichever way a flow is created."""
    members = {"label": "Camera", "tags": {"studio": ["A"]}, "created_by": "somebody", "metadata_version": "v1"}
    posted, put = flow(**members), flow(**members)
    ours = created(client.post("/flows", json=posted))
    theirs = created(client.put(f"/flows/{put['id']}", json=put))
    assert without(ours, "id", "source_id", "created", "metadata_updated") == without(
        theirs, "id", "source_id", "created", "metadata_updated"
    )
    sources = [client.get(f"/sources/{each['source_id']}").json() for each in (ours, theirs)]
    assert without(sources[0], "id", "created", "updated") == without(sources[1], "id", "created", "updated")


def test_a_list_is_created_in_its_order(client: httpx.Client) -> None:
    """F5: 201 with every document."""
    labels = [f"camera {number}" for number in range(20)]
    documents = created(client.post("/flows", json=[new_flow(label=label) for label in labels]))
    assert [document["label"] for document in documents] == labels
    assert len({document["id"] for document in documents}) == len(labels)
    assert "Location" not in client.post("/flows", json=[new_flow()]).headers
    documents = created(client.post("/sources", json=[{"format": VIDEO, "label": label} for label in labels]))
    assert [document["label"] for document in documents] == labels
    assert created(client.post("/flows", json=[])) == []


def test_a_retry_finds_what_exists_and_changes_nothing(client: httpx.Client) -> None:
    """F5: a client whose connection broke sends the same request again, and learns what it has."""
    for name, documents in (
        ("flows", [flow(), flow()]),
        ("sources", [{"id": fresh(), "format": VIDEO}, {"id": fresh(), "format": VIDEO}]),
    ):
        first = created(client.post(f"/{name}", json=documents[:1]))
        changed = [{**document, "label": "changed"} for document in documents]
        response = client.post(f"/{name}", json=changed)
        errors = failed(response, name)
        assert {number: error["type"] for number, error in errors.items()} == {0: "already_exists"}
        assert response.json()[f"failed_{name}"][0]["id"] == documents[0]["id"]
        assert [each["id"] for each in response.json()[name]] == [documents[1]["id"]]
        assert client.get(f"/{name}/{documents[0]['id']}").json() == first[0]
        response = client.post(f"/{name}", json=documents[0])
        assert (response.status_code, response.json()["field"]) == (409, "id")


def test_each_item_fails_by_itself(client: httpx.Client) -> None:
    """F5: every rule of a PUT, told for the item that breaks it."""
    taken, good = flow(), flow(label="good")
    client.put(f"/flows/{taken['id']}", json=taken)
    items = [
        good,
        {"source_id": taken["source_id"], "format": MULTI},
        flow(label="x" * 60_000),
        {"source_id": fresh(), "profile_id": fresh()},
        good,
        collecting({"id": fresh()}),
    ]
    errors = failed(client.post("/flows", json=items), "flows")
    assert sorted(errors) == [1, 2, 3, 4, 5]
    assert [errors[number]["field"] for number in sorted(errors)] == [
        "format",
        "label",
        "profile_id",
        "id",
        "flow_collection.0.id",
    ]
    assert client.get(f"/flows/{good['id']}").json()["label"] == "good"


def test_an_invalid_document_rejects_the_whole_list(client: httpx.Client) -> None:
    """F5: as a list of segments is rejected, with the place of the item."""
    good = flow()
    response = client.post("/flows", json=[good, {**flow(), "codec": 1}])
    assert response.status_code == 400
    assert client.get(f"/flows/{good['id']}").status_code == 404
    response = client.post("/sources", json=[{"format": VIDEO}, {"format": "film"}])
    assert (response.status_code, response.json()["field"]) == (400, "1.format")


def test_flows_collect_flows_of_the_same_request_in_any_order(client: httpx.Client) -> None:
    """F5: a collector may come first, and a collection of collections before both."""
    video, audio = flow(), flow()
    programme = collecting(video, audio)
    channel = collecting(programme)
    documents = created(client.post("/flows", json=[channel, audio, programme, video]))
    by_id = {document["id"]: document for document in documents}
    assert by_id[video["id"]]["collected_by"] == [programme["id"]]
    assert by_id[programme["id"]]["collected_by"] == [channel["id"]]
    assert client.get(f"/flows/{audio['id']}").json() == by_id[audio["id"]]
    source = client.get(f"/sources/{programme['source_id']}").json()
    assert [item["id"] for item in source["source_collection"]] == [video["source_id"], audio["source_id"]]


def test_a_flow_fails_with_what_it_collects(client: httpx.Client) -> None:
    """F5: and so does a flow that collects that one, or itself through another, as no order of PUTs creates it."""
    broken = {"id": fresh(), "source_id": fresh(), "profile_id": fresh()}
    programme = collecting(broken)
    ring = [collecting(), collecting()]
    for here, there in (ring, ring[::-1]):
        here["flow_collection"] = [{"id": there["id"]}]
    itself = collecting()
    itself["flow_collection"] = [{"id": itself["id"]}]
    errors = failed(client.post("/flows", json=[collecting(programme), programme, broken, *ring, itself]), "flows")
    assert sorted(errors) == [0, 1, 2, 3, 4]
    assert errors[2]["field"] == "profile_id"
    assert {errors[number]["field"] for number in (0, 1, 3, 4)} == {"flow_collection.0.id"}


def test_collections_of_one_source_must_agree(client: httpx.Client) -> None:
    """F5: with flows that exist, and with those of the same request."""
    first, second = flow(), flow()
    source_id = fresh()
    here = collecting(first, second, source_id=source_id)
    there = collecting(second, first, source_id=source_id)
    errors = failed(client.post("/flows", json=[first, second, here, there]), "flows")
    assert list(errors) == [3]
    assert here["id"] in errors[3]["summary"]
    assert list(failed(client.post("/flows", json=[{**there, "id": fresh()}]), "flows")) == [0]


def test_flows_of_one_new_source_must_have_its_format(client: httpx.Client) -> None:
    """F5."""
    source_id = fresh()
    items = [flow(source_id=source_id), {"source_id": source_id, "format": MULTI}, flow(source_id=source_id)]
    assert list(failed(client.post("/flows", json=items), "flows")) == [1]
    assert len(client.get("/flows", params={"source_id": source_id}).json()) == 2


def test_a_source_without_flows_lives_until_its_last_flow_is_deleted(client: httpx.Client) -> None:
    """F5."""
    studio = fresh()
    body = {"format": VIDEO, "label": "Camera", "tags": {"studio": studio}, "created": "2020-01-01T00:00:00Z"}
    source = created(client.post("/sources", json={**body, "source_collection": [], "collected_by": [fresh()]}))
    assert {"source_collection", "collected_by"}.isdisjoint(source)
    assert source["created"] > "2026"
    path = f"/sources/{source['id']}"
    assert client.put(f"{path}/description", json="in the hall").status_code == 204
    assert [each["id"] for each in client.get("/sources", params={"tag.studio": studio}).json()] == [source["id"]]
    wrong = {"id": fresh(), "source_id": source["id"], "format": MULTI}
    assert client.put(f"/flows/{wrong['id']}", json=wrong).status_code == 400
    document = flow(source_id=source["id"], label="First")
    created(client.put(f"/flows/{document['id']}", json=document))
    assert client.get(path).json()["label"] == "Camera"
    assert client.delete(f"/flows/{document['id']}").status_code == 204
    assert client.get(path).status_code == 404


def test_a_list_that_is_too_long_is_rejected(client: httpx.Client) -> None:
    """F5 and F6."""
    for name, item in (("sources", {"format": VIDEO}), ("objects/batch", {"flow_id": fresh()})):
        response = client.post(f"/{name}", json=[item] * 1001)
        assert response.status_code == 400
        assert "at most 1000" in response.json()["message"]
    many = [{"id": fresh()}] * 1001
    items = [{"source_id": fresh(), "format": MULTI, "flow_collection": many} for _ in range(10)]
    response = client.post("/flows", json=items)
    assert (response.status_code, response.json()["field"]) == (400, "flow_collection")


def test_long_lists_are_parsed_like_short_ones(client: httpx.Client) -> None:
    """F5: a list that is parsed in parts keeps every member of its flows."""
    items = [flow(description="x" * 2000) for _ in range(200)]
    assert len(json.dumps(items)) > 300_000
    documents = created(client.post("/flows", json=items))
    for item, document in zip(items, documents, strict=True):
        assert {name: document[name] for name in item} == item


def put(client: httpx.Client, document: Json) -> str:
    created(client.put(f"/flows/{document['id']}", json=document))
    return str(document["id"])


def test_objects_of_several_flows_are_registered_at_once(client: httpx.Client) -> None:
    """F6: allocated ones are uploaded and used as if by POST storage, the others are used as they are."""
    first, second = put(client, flow()), put(client, flow())
    url = {"url": "https://archive.example/1.ts", "label": "archive"}
    elsewhere = fresh()
    items = [
        {"flow_id": first},
        {"flow_id": second, "object_id": "tapes/1", "presigned": True},
        {"flow_id": second, "object_id": elsewhere, "get_urls": [url]},
    ]
    response = client.post("/objects/batch", json=items)
    objects = created(response)
    assert [each["flow_id"] for each in objects] == [first, second, second]
    assert [each["object_id"] for each in objects[1:]] == ["tapes/1", elsewhere]
    assert objects[2] == {"flow_id": second, "object_id": elsewhere, "get_urls": [url]}
    for each in objects[:2]:
        put_url = each["put_url"]
        upload = httpx.put(put_url["url"], content=b"bytes", headers={"Content-Type": put_url["content-type"]})
        assert upload.status_code == 200
    assert client.get(f"/objects/{elsewhere}").status_code == 404, "no segment refers to it yet"
    segment = {"object_id": objects[0]["object_id"], "timerange": "[0:0_1:0)"}
    assert client.post(f"/flows/{second}/segments", json=segment).status_code == 400, "it is for the first flow"
    assert client.post(f"/flows/{first}/segments", json=segment).status_code == 201
    segments = [{"object_id": each["object_id"], "timerange": f"[{n}:0_{n + 1}:0)"} for n, each in enumerate(objects)]
    assert client.post(f"/flows/{second}/segments", json=segments[1:]).status_code == 201
    [used] = client.get(f"/objects/{elsewhere}").json()["get_urls"]
    assert (used["url"], used["label"]) == (url["url"], url["label"])


def test_objects_fail_by_themselves(client: httpx.Client) -> None:
    """F6: by the rules of the flow, of storage and of URLs."""
    flow_id, closed = put(client, flow()), put(client, flow(read_only=True))
    bare = flow()
    del bare["container"]
    put(client, bare)
    url = {"url": "https://archive.example/1.ts", "label": "archive"}
    items = [
        {"flow_id": flow_id, "object_id": "here"},
        {"flow_id": fresh()},
        {"flow_id": closed},
        {"flow_id": bare["id"]},
        {"flow_id": flow_id, "object_id": ".."},
        {"flow_id": flow_id, "object_id": "here"},
        {"flow_id": flow_id, "storage_id": fresh()},
        {"flow_id": flow_id, "content_type": "video/mxf"},
        {"flow_id": flow_id, "get_urls": [{**url, "url": "tape 12"}]},
        {"flow_id": flow_id, "get_urls": [url, url]},
        {"flow_id": flow_id, "get_urls": [url], "presigned": True},
    ]
    response = client.post("/objects/batch", json=items)
    errors = failed(response, "objects")
    assert [(errors[number]["type"], errors[number]["field"]) for number in range(1, len(items))] == [
        ("not_found", "flow_id"),
        ("forbidden", "read_only"),
        ("invalid", "container"),
        ("invalid", "object_id"),
        ("already_exists", "object_id"),
        ("invalid", "storage_id"),
        ("invalid", "content_type"),
        ("invalid", "get_urls.0.url"),
        ("invalid", "get_urls.1.label"),
        ("invalid", "presigned"),
    ]
    assert [each["object_id"] for each in response.json()["objects"]] == ["here"]
    again = failed(client.post("/objects/batch", json=items[:1]), "objects")
    assert again[0]["type"] == "already_exists"


def test_an_object_may_be_called_batch(client: httpx.Client) -> None:
    """F6: the paths of objects are as they were, those of one with this id among them."""
    flow_id = put(client, flow())
    [allocated] = created(client.post("/objects/batch", json=[{"flow_id": flow_id, "object_id": "batch"}]))
    assert client.get("/objects/batch").status_code == 404
    segment = {"object_id": allocated["object_id"], "timerange": "[0:0_1:0)"}
    assert client.post(f"/flows/{flow_id}/segments", json=segment).status_code == 201
    assert client.get("/objects/batch").json()["id"] == "batch"
    assert client.head("/objects/batch").status_code == 200
    url = {"url": "https://archive.example/1.ts", "label": "archive"}
    assert client.post("/objects/batch/instances", json=url).status_code == 201
    response = client.delete("/objects/batch")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST, GET, HEAD, OPTIONS")
    assert client.post("/objects/another", json=[]).status_code == 405


@pytest.mark.parametrize("path", ["/flows", "/sources", "/objects/batch"])
def test_the_examples_of_the_document_are_valid(running: Running, path: str) -> None:
    """F5 and F6."""
    [operation] = [each for each in running.specification.operations if (each.method, each.path) == ("POST", path)]
    content = running.specification.document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert operation.body is not None
    validator = operation.body.validators["application/json"]
    assert [validator.is_valid(example["value"]) for example in content["examples"].values()] == [True]
