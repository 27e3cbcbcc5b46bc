"""Tags of sources and flows, read and written individually."""

from typing import Any

import pytest

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.flow_states import read_flow
from tests.conformance.kit.ids import fresh

NAMES = ["plain", "a b", "a/b", "a%b", "a%2Fb", "a.b", "a?b", "a#b", "a&b=c", "a+b", "ü", "日本", "🎬", "a;b,c"]
VALUES: list[str | list[str]] = ["news", "", "ü 日本 🎬", "a,b", " x ", 'a"b', ["one"], ["two", "one"], [], ["", "a,b"]]
INVALID: list[Any] = [5, 1.5, True, None, {"value": "news"}, ["news", 5], [None], [["news"]], [{}]]


@pytest.fixture(params=["sources", "flows"])
def owner(request: pytest.FixtureRequest, tams: TamsClient) -> str:
    """The path of a new source or flow without tags."""
    made = tams.make_flow()
    return f"/{request.param}/{made['id' if request.param == 'flows' else 'source_id']}"


@pytest.mark.behaviour("SRC-TAG-01")
def test_a_resource_without_tags_has_an_empty_object(tams: TamsClient, owner: str) -> None:
    response = tams.get(f"{owner}/tags")
    assert (response.status_code, response.json()) == (200, {})


@pytest.mark.behaviour("SRC-TAG-05", "SRC-TAG-06", "SRC-TAG-03", "TAG-01", "TAG-07")
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_tag_reads_back_as_written(tams: TamsClient, owner: str, value: str | list[str]) -> None:
    assert tams.put(f"{owner}/tags/genre", value).status_code == 204
    response = tams.get(f"{owner}/tags/genre")
    assert (response.status_code, response.json()) == (200, value)
    assert tams.get(f"{owner}/tags").json() == {"genre": value}
    assert tams.get(owner).json()["tags"] == {"genre": value}


@pytest.mark.behaviour("SRC-TAG-07", "TAG-01")
@pytest.mark.parametrize(("first", "second"), [("news", ["sport"]), (["sport", "news"], "news"), ("news", "sport")])
def test_a_tag_is_replaced(tams: TamsClient, owner: str, first: str | list[str], second: str | list[str]) -> None:
    for value in (first, second):
        assert tams.put(f"{owner}/tags/genre", value).status_code == 204
    assert tams.get(f"{owner}/tags").json() == {"genre": second}


@pytest.mark.behaviour("SRC-TAG-07", "TAG-02", "TAG-03")
def test_a_replaced_or_removed_value_is_no_longer_found(tams: TamsClient, owner: str) -> None:
    kind, id_ = owner.strip("/").split("/")
    first, second = fresh(), fresh()
    for value in (first, [second]):
        assert tams.put(f"{owner}/tags/kit", value).status_code == 204
    assert tams.get(f"/{kind}", **{"tag.kit": first}).json() == []
    assert [item["id"] for item in tams.get(f"/{kind}", **{"tag.kit": second}).json()] == [id_]
    assert tams.delete(f"{owner}/tags/kit").status_code == 204
    assert tams.get(f"/{kind}", **{"tag.kit": second}).json() == []


@pytest.mark.behaviour("SRC-TAG-08", "TAG-01", "TAG-07")
@pytest.mark.parametrize("value", INVALID, ids=repr)
def test_a_value_that_is_neither_string_nor_list_of_strings_is_rejected(
    tams: TamsClient, owner: str, value: Any
) -> None:
    assert tams.put(f"{owner}/tags/genre", "news").status_code == 204
    assert tams.put(f"{owner}/tags/genre", value).status_code == 400
    assert tams.get(f"{owner}/tags").json() == {"genre": "news"}


@pytest.mark.behaviour("SRC-TAG-09", "SRC-TAG-12")
def test_setting_a_tag_leaves_the_others(tams: TamsClient, owner: str) -> None:
    for name, value in {"genre": "news", "place": ["leeds"], "year": "2026"}.items():
        assert tams.put(f"{owner}/tags/{name}", value).status_code == 204
    assert tams.put(f"{owner}/tags/genre", "sport").status_code == 204
    assert tams.delete(f"{owner}/tags/year").status_code == 204
    assert tams.get(f"{owner}/tags").json() == {"genre": "sport", "place": ["leeds"]}


@pytest.mark.behaviour("SRC-TAG-11", "SRC-TAG-04", "SRC-TAG-12", "TAG-04")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_with_special_characters_is_percent_encoded_in_the_path(tams: TamsClient, owner: str, name: str) -> None:
    path = f"{owner}/tags/{path_segment(name)}"
    assert tams.put(path, "news").status_code == 204
    assert tams.get(f"{owner}/tags").json() == {name: "news"}
    assert tams.get(path).json() == "news"
    assert tams.head(path).status_code == 200
    assert tams.delete(path).status_code == 204
    assert tams.get(path).status_code == tams.head(path).status_code == 404
    assert tams.get(f"{owner}/tags").json() == {}


@pytest.mark.behaviour("SRC-TAG-12", "SRC-TAG-04")
def test_a_removed_tag_is_gone(tams: TamsClient, owner: str) -> None:
    assert tams.put(f"{owner}/tags/genre", "news").status_code == 204
    assert tams.delete(f"{owner}/tags/genre").status_code == 204
    assert tams.get(f"{owner}/tags/genre").status_code == 404
    assert tams.head(f"{owner}/tags/genre").status_code == 404
    assert tams.get(owner).json().get("tags", {}) == {}


@pytest.mark.behaviour("SRC-TAG-04", "SRC-TAG-13", "A29")
def test_an_unknown_tag_is_not_found(tams: TamsClient, owner: str) -> None:
    assert tams.put(f"{owner}/tags/genre", "news").status_code == 204
    assert tams.get(f"{owner}/tags/Genre").status_code == 404
    assert tams.head(f"{owner}/tags/Genre").status_code == 404
    # Only sources document a 404 for deleting an unset tag.
    assert tams.delete(f"{owner}/tags/Genre").status_code in ((404, 204) if "/flows/" in owner else (404,))
    assert tams.get(f"{owner}/tags").json() == {"genre": "news"}


@pytest.mark.behaviour("SRC-TAG-10", "SRC-TAG-02", "SRC-TAG-04")
@pytest.mark.parametrize("kind", ["sources", "flows"])
def test_tagging_an_unknown_resource_creates_nothing(tams: TamsClient, kind: str) -> None:
    unknown = f"/{kind}/{fresh()}"
    assert tams.put(f"{unknown}/tags/genre", "news").status_code == 404
    assert tams.get(unknown).status_code == 404
    for path in (f"{unknown}/tags", f"{unknown}/tags/genre"):
        assert tams.get(path).status_code == tams.head(path).status_code == 404


@pytest.mark.behaviour("TAG-08")
@pytest.mark.parametrize("replacement", [{"genre": ["sport"]}, {}, None], ids=repr)
def test_putting_a_flow_replaces_all_of_its_tags(tams: TamsClient, replacement: dict[str, Any] | None) -> None:
    made = tams.make_flow(tags={"genre": "news", "place": "leeds"})
    document = {name: value for name, value in made.items() if name != "tags"}
    if replacement is not None:
        document["tags"] = replacement
    assert tams.put(f"/flows/{made['id']}", document).status_code == 204
    assert read_flow(tams, made["id"]).get("tags", {}) == (replacement or {})
    assert tams.get("/flows", source_id=made["source_id"], **{"tag_exists.place": True}).json() == []
