"""The tags of a flow, at their own paths (FLOW-TAG-*)."""

from typing import Any

import pytest

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.flow_states import read_flow
from tests.conformance.kit.ids import fresh, fresh_name

VALUES: list[Any] = ["news", "", ["news"], ["news", "weather", "news"], [], 'quoted "text"\n\N{SNOWMAN}']
BROKEN: list[Any] = [5, True, None, {"a": "b"}, ["news", 5], [["news"]], [None]]
NAMES = ["a b", "a/b", "a%2Fb", "a.b", "a&b=c?d#e", "\N{SNOWMAN}é", "..", "a+b", "tags", 'quoted"']


def tags_path(document: Json, name: str | None = None) -> str:
    path = f"/flows/{document['id']}/tags"
    return path if name is None else f"{path}/{path_segment(name)}"


@pytest.fixture
def tagged(tams: TamsClient) -> Json:
    """The document of a flow with two tags."""
    return tams.make_flow(flow(tags={"genre": "news", "presenters": ["Ada", "Grace"]}))


@pytest.mark.behaviour("FLOW-TAG-01", "FLOW-TAG-02")
def test_tags_are_read_together_and_individually(tams: TamsClient, tagged: Json) -> None:
    assert tams.get(tags_path(tagged)).json() == tagged["tags"]
    for name, value in tagged["tags"].items():
        response = tams.get(tags_path(tagged, name))
        assert (response.status_code, response.json()) == (200, value)
    for path in (tags_path(tagged), tags_path(tagged, "genre")):
        head = tams.head(path)
        assert (head.status_code, head.content) == (200, b"")


@pytest.mark.behaviour("FLOW-TAG-01")
def test_a_flow_without_tags_has_an_empty_map(tams: TamsClient) -> None:
    response = tams.get(tags_path(tams.make_flow()))
    assert (response.status_code, response.json()) == (200, {})


@pytest.mark.behaviour("FLOW-TAG-02")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", ["missing", "Genre", "genre ", "gen"])
def test_an_unset_tag_is_not_found(tams: TamsClient, tagged: Json, method: str, name: str) -> None:
    assert tams.request(method, tags_path(tagged, name)).status_code == 404


@pytest.mark.behaviour("FLOW-TAG-01", "FLOW-TAG-02", "FLOW-TAG-05", "FLOW-TAG-07")
@pytest.mark.parametrize("flow_id", [None, "nonsense"])
@pytest.mark.parametrize(
    ("method", "below"),
    [("GET", ""), ("HEAD", ""), ("GET", "/a"), ("HEAD", "/a"), ("PUT", "/a"), ("DELETE", "/a")],
)
def test_an_unknown_flow_has_no_tags(tams: TamsClient, flow_id: str | None, method: str, below: str) -> None:
    body = "news" if method == "PUT" else None
    assert tams.request(method, f"/flows/{flow_id or fresh()}/tags{below}", json=body).status_code == 404


@pytest.mark.behaviour("FLOW-TAG-03", "FLOW-TAG-06", "TAG-01", "TAG-07", "GEN-06")
@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("name", ["genre", "new"], ids=["replaced", "added"])
def test_setting_a_tag_leaves_the_others(tams: TamsClient, tagged: Json, name: str, value: Any) -> None:
    response = tams.put(tags_path(tagged, name), value)
    assert (response.status_code, response.content) == (204, b"")
    assert tams.get(tags_path(tagged, name)).json() == value
    assert tams.get(tags_path(tagged)).json() == {**tagged["tags"], name: value}
    assert read_flow(tams, tagged["id"])["tags"] == {**tagged["tags"], name: value}


@pytest.mark.behaviour("FLOW-TAG-04", "TAG-01")
@pytest.mark.parametrize("value", BROKEN, ids=repr)
@pytest.mark.parametrize("name", ["genre", "new"], ids=["replaced", "added"])
def test_an_invalid_tag_is_rejected(tams: TamsClient, tagged: Json, name: str, value: Any) -> None:
    assert tams.request("PUT", tags_path(tagged, name), json=value).status_code == 400
    assert tams.get(tags_path(tagged)).json() == tagged["tags"]


@pytest.mark.behaviour("FLOW-TAG-07", "FLOW-TAG-06")
@pytest.mark.parametrize("name", ["genre", "presenters"])
def test_deleting_a_tag_leaves_the_others(tams: TamsClient, tagged: Json, name: str) -> None:
    response = tams.delete(tags_path(tagged, name))
    assert (response.status_code, response.content) == (204, b"")
    assert tams.get(tags_path(tagged, name)).status_code == 404
    left = {other: value for other, value in tagged["tags"].items() if other != name}
    assert tams.get(tags_path(tagged)).json() == left


@pytest.mark.behaviour("FLOW-TAG-07", "A29")
def test_deleting_an_unset_tag_changes_nothing(tams: TamsClient, tagged: Json) -> None:
    assert tams.delete(tags_path(tagged, "missing")).status_code in (204, 404)
    assert tams.get(tags_path(tagged)).json() == tagged["tags"]


@pytest.mark.behaviour("FLOW-TAG-08", "TAG-04")
@pytest.mark.parametrize("name", NAMES)
def test_a_tag_may_have_any_name(tams: TamsClient, tagged: Json, name: str) -> None:
    path = tags_path(tagged, name).replace("..", "%2E%2E")
    assert tams.put(path, "odd").status_code == 204
    assert tams.get(path).json() == "odd"
    assert tams.get(tags_path(tagged)).json() == {**tagged["tags"], name: "odd"}
    assert tams.delete(path).status_code == 204
    assert tams.get(tags_path(tagged)).json() == tagged["tags"]


@pytest.mark.behaviour("FLOW-TAG-03", "FLOW-TAG-07", "TAG-02")
def test_flows_are_found_by_their_current_tags(tams: TamsClient, tagged: Json) -> None:
    name = fresh_name()

    def found(value: str) -> bool:
        ids = [item["id"] for item in tams.get("/flows", **{f"tag.{name}": value}).json()]
        assert ids in ([], [tagged["id"]])
        return bool(ids)

    assert tams.put(tags_path(tagged, name), ["a", "b"]).status_code == 204
    assert [found(value) for value in "abc"] == [True, True, False]
    assert tams.put(tags_path(tagged, name), "c").status_code == 204
    assert [found(value) for value in "abc"] == [False, False, True]
    assert tams.delete(tags_path(tagged, name)).status_code == 204
    assert [found(value) for value in "abc"] == [False, False, False]
