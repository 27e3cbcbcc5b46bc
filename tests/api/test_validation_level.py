"""F9: what TAMS_VALIDATION_LEVEL=relaxed lets through, what it never does, and how it is served and recorded."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.commands import run_command
from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import flow
from tests.conformance.kit.ids import fresh

Json = dict[str, Any]
VIDEO = "urn:x-nmos:format:video"


@pytest.fixture(scope="module")
def relaxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("relaxed"), validation_level="relaxed") as running:
        yield running


def video(**members: Any) -> Json:
    """A video flow without what a relaxed service can do without."""
    return {"id": fresh(), "source_id": fresh(), "format": VIDEO, **members}


def put(running: Running, document: Json) -> Any:
    return running.client.put(f"/flows/{document['id']}", json=document)


STORABLE = [
    {},
    {"codec": "h264", "essence_parameters": {"frame_width": 1920, "frame_height": 1080}},
    {"codec": "video/h264", "essence_parameters": {"frame_width": 1920, "frame_height": 0, "colorspace": "P3"}},
    {"codec": "video/h264", "essence_parameters": {"sample_rate": 48000, "made_up": [1, {"a": None}]}},
    {"container_mapping": {"odd": True}, "codec": "video/h264"},
]
NEEDED = [
    {"id": "x"},
    {"source_id": 5},
    {"format": "urn:x-nmos:format:smell"},
    {"format": None},
    {"label": ["x"]},
    {"tags": {"a": 5}},
    {"container": "video mp2t"},
    {"container": "video/mp2t\r\nX-Injected: 1"},
    {"essence_parameters": {"frame_width": "wide", "frame_height": 1}},
    {"essence_parameters": {"init_segments": 1}},
    {"essence_parameters": {"frame_rate": "25"}},
    {"essence_parameters": {"frame_rate": {"numerator": 0}}},
    {"essence_parameters": {"channels": '2",URI="x'}},
    {"essence_parameters": {"avc_parameters": {"profile": 100}}},
    {"essence_parameters": {"codec_parameters": {"mp4_oti": '2"\n#EXTM3U'}}},
    {"read_only": "no"},
    {"max_bit_rate": -1},
    {"flow_collection": [{"role": "video"}]},
    {"status": "resting"},
]


@pytest.mark.parametrize("members", STORABLE, ids=str)
def test_what_can_be_stored_is_stored_and_served_as_it_was_sent(relaxed: Running, members: Json) -> None:
    document = video(**members)
    response = put(relaxed, document)
    assert response.status_code == 201, response.text
    assert response.headers["X-Violated-Schema"].startswith("#/components/schemas/")
    path = f"/flows/{document['id']}"
    found = relaxed.client.get(path)
    assert found.status_code == 200
    assert "X-Violated-Schema" not in found.headers
    assert {name: found.json().get(name) for name in document} == document
    listed = relaxed.client.get("/flows", params={"source_id": document["source_id"]})
    assert [each["id"] for each in listed.json()] == [document["id"]]
    assert relaxed.client.put(f"{path}/label", json="a label").status_code == 204
    assert relaxed.client.get(f"/sources/{document['source_id']}").status_code == 200


@pytest.mark.parametrize("members", NEEDED, ids=str)
def test_what_the_store_needs_is_required_at_either_level(relaxed: Running, members: Json) -> None:
    document = {name: value for name, value in video(codec="h264", **members).items() if value is not None}
    path = f"/flows/{fresh() if 'id' in members else document['id']}"
    response = relaxed.client.put(path, json=document)
    assert (response.status_code, response.json()["code"]) == (400, "request.schema")
    assert relaxed.client.get(path).status_code == 404


def test_rules_apply_at_either_level(relaxed: Running) -> None:
    document = video()
    assert put(relaxed, document).status_code == 201
    other = put(relaxed, {**document, "source_id": fresh()})
    assert (other.status_code, other.json()["code"]) == (400, "flow.source_fixed")
    storage = relaxed.client.post(f"/flows/{document['id']}/storage", json={"limit": 1})
    assert (storage.status_code, storage.json()["code"]) == (400, "flow.no_container")
    segment = relaxed.client.post(f"/flows/{document['id']}/segments", json={"object_id": "x", "timerange": 5})
    assert (segment.status_code, segment.json()["code"]) == (400, "request.schema")


def test_a_profile_may_be_incomplete_and_flows_be_made_from_it(relaxed: Running) -> None:
    profile = {"id": fresh(), "flow_metadata": {"format": VIDEO, "codec": "h264"}}
    made = relaxed.client.post(f"/service/profiles/{profile['id']}", json=profile)
    assert (made.status_code, made.headers["X-Violated-Schema"][:1]) == (201, "#")
    assert relaxed.client.get(f"/service/profiles/{profile['id']}").status_code == 200
    document = {"id": fresh(), "source_id": fresh(), "profile_id": profile["id"]}
    response = put(relaxed, document)
    assert (response.status_code, response.json()["codec"]) == (201, "h264")
    assert "X-Violated-Schema" not in response.headers, "the request was in order"


def test_several_flows_of_one_request_may_break_their_schema(relaxed: Running) -> None:
    documents = [video(codec="h264"), flow(), {name: value for name, value in video().items() if name != "id"}]
    response = relaxed.client.post("/flows", json=documents)
    assert response.status_code == 201, response.text
    assert response.headers["X-Violated-Schema"].startswith("#/components/schemas/")
    assert [each["source_id"] for each in response.json()] == [each["source_id"] for each in documents]
    mixed = relaxed.client.post("/flows", json=[video(), {**flow(), "profile_id": fresh()}, {**video(), "format": 5}])
    assert (mixed.status_code, mixed.json()["code"]) == (400, "request.schema")


def test_events_about_such_flows_conform_as_far_as_they_can(relaxed: Running) -> None:
    document = video(codec="h264")
    assert put(relaxed, document).status_code == 201
    served = relaxed.client.get(f"/flows/{document['id']}").json()
    for kind in ("flows/created", "flows/updated"):
        message = {"event_timestamp": "2026-11-29T12:00:00Z", "event_type": kind, "event": {"flow": served}}
        validator = relaxed.specification.webhooks[kind]
        assert validator.is_valid(message)
        assert not validator.is_valid({**message, "event": {"flow": {**served, "source_id": 5}}})


def test_valid_documents_are_not_marked(relaxed: Running) -> None:
    assert "X-Violated-Schema" not in put(relaxed, flow()).headers


def test_no_mutation_of_a_flow_makes_the_server_fail(relaxed: Running) -> None:
    """Each mutation is stored and can be read, or is rejected with 400."""
    chance = random.Random(9)
    values: list[Any] = [None, True, -1, 2**40, 1.5, "", "x" * 300, "\u0000", [], [{}], {}, {"a": {"b": []}}]

    def mutated(node: Any) -> Any:
        if not isinstance(node, dict) or not node:
            return chance.choice(values)
        name = chance.choice(sorted(node))
        kind = chance.randrange(3)
        if kind == 0:
            return {key: value for key, value in node.items() if key != name}
        return {**node, name if kind == 1 else chance.choice(NAMES): mutated(node[name])}

    template = flow()
    names = set(template) | set(template["essence_parameters"]) | {"avg_bit_rate", "segment_duration", "tags", "codec"}
    NAMES = sorted(names)
    stored = 0
    for _ in range(150):
        document = {**mutated(mutated({**template, "source_id": fresh()})), "id": fresh()}
        response = relaxed.client.put(f"/flows/{document['id']}", json=document)
        assert response.status_code in (201, 400), response.text
        if response.status_code == 201:
            stored += 1
            assert relaxed.client.get(f"/flows/{document['id']}").status_code == 200
    assert stored > 10


def test_strict_rejects_and_serves_what_was_stored_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = video(codec="h264")
    with serving(tmp_path, validation_level="relaxed") as running:
        assert put(running, document).status_code == 201
        assert put(running, {**document, "id": "x"}).status_code in (400, 404)
    with serving(tmp_path) as running:
        rejected = put(running, {**document, "label": "again"})
        assert (rejected.status_code, rejected.json()["code"]) == (400, "request.schema")
        assert running.client.get(f"/flows/{document['id']}").json()["codec"] == "h264"
        assert len(running.client.get("/flows").json()) == 1
        assert running.client.put(f"/flows/{document['id']}/label", json="x").status_code == 204
    with serving(tmp_path) as running:
        counted = running.client.get("/compliance").json()
        rule = rejected.json()["schema_path"]
        outcomes = [each["outcome"] for each in counted if each["schema_path"] == rule]
        assert sorted(outcomes) == ["accepted", "rejected"]
        assert {each["client"] for each in counted} == {"bootstrap"}
    assert run_command("compliance", "--scan", "--data-dir", str(tmp_path)) == 1
    out = capsys.readouterr().out
    assert document["id"] in out
    assert len(out.splitlines()) == 1
