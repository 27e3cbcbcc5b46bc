"""The members of a flow with their own paths: texts, bit rates, read_only, the collection (FLOW-DESC-*, FLOW-LABEL-*,
FLOW-RO-*, FLOW-MBR-*, FLOW-ABR-*)."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import MULTI, TECHNICAL, VIDEO, Json, flow
from tests.conformance.kit.flow_states import put_flow, read_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.profiles import linked_flow, make_profile

IDS = {
    "description": "FLOW-DESC",
    "label": "FLOW-LABEL",
    "max_bit_rate": "FLOW-MBR",
    "avg_bit_rate": "FLOW-ABR",
}
GOOD: dict[str, list[Any]] = {
    "description": ["Evening news", "", 'quoted "text"\n\N{SNOWMAN}'],
    "label": ["Evening news", "", 'quoted "text"\n\N{SNOWMAN}'],
    "max_bit_rate": [5000, 0, 2**40],
    "avg_bit_rate": [5000, 0, 2**40],
}
NOT_STRINGS = [5, True, None, ["text"], {"label": "text"}]
NOT_INTEGERS = [-1, 1.5, "5000", None, True, [5000]]
BAD: dict[str, list[Any]] = {
    "description": NOT_STRINGS,
    "label": NOT_STRINGS,
    "max_bit_rate": NOT_INTEGERS,
    "avg_bit_rate": NOT_INTEGERS,
}
BODIES: Json = {name: values[0] for name, values in GOOD.items()} | {"flow_collection": [], "read_only": False}
OPERATIONS = [
    (method, name)
    for name in BODIES
    for method in ("GET", "HEAD", "PUT", "DELETE")
    if (method, name) != ("DELETE", "read_only")
]


def each(values: dict[str, list[Any]], number: str) -> list[Any]:
    """A case for each member and each of its values, marked with the behaviour of this number."""
    return [
        pytest.param(name, value, marks=pytest.mark.behaviour(f"{IDS[name]}-{number}"), id=f"{name}-{value!r}")
        for name in values
        for value in values[name]
    ]


def path_of(document: Json, name: str) -> str:
    return f"/flows/{document['id']}/{name}"


@pytest.fixture
def bare(tams: TamsClient) -> Json:
    """The document of a flow without any of these members."""
    return tams.make_flow(flow(avg_bit_rate=None))


@pytest.fixture
def linked(tams: TamsClient) -> Json:
    """The document of a flow that inherits its avg_bit_rate from a profile."""
    return tams.make_flow(linked_flow(make_profile(tams)["id"]))


@pytest.mark.behaviour("FLOW-DESC-01", "FLOW-LABEL-01", "TAGQ-01")
@pytest.mark.parametrize("text", ["\0", "a\0b", "\ufdd0", "\ufdd00", "\0\ufdd01\0", "\\u0000"], ids=ascii)
def test_text_with_any_character_is_returned_unchanged_or_rejected(tams: TamsClient, bare: Json, text: str) -> None:
    """JSON allows U+0000, which some databases cannot store."""
    label = f"{fresh_name()}{text}"
    status = tams.put(path_of(bare, "label"), label).status_code
    assert status == 204 or (status == 400 and "\0" in text)
    if status == 204:
        assert tams.get(path_of(bare, "label")).json() == label
        assert tams.put(path_of(bare, "description"), text).status_code == 204
        tag = f"/flows/{bare['id']}/tags/{quote(label, safe='')}"
        assert tams.put(tag, [label, text]).status_code == 204
        stored = read_flow(tams, bare["id"])
        assert (stored["description"], stored["tags"][label]) == (text, [label, text])
        for params in (
            {"label": label},
            {f"tag.{label}": label},
            {f"tag.{label}": text},
            {f"tag_exists.{label}": "true"},
        ):
            assert [found["id"] for found in tams.http.get("/flows", params=params).json()] == [bare["id"]]
        assert tams.http.get("/flows", params={"label": label.replace("\0", "")}).json() == [] or "\0" not in text


@pytest.mark.behaviour("GEN-05")
@pytest.mark.parametrize(("name", "value"), each(GOOD, "01"))
def test_a_member_of_the_flow_is_read_at_its_own_path(tams: TamsClient, name: str, value: Any) -> None:
    document = tams.make_flow(flow(**{name: value}))
    response = tams.get(path_of(document, name))
    assert (response.status_code, response.json()) == (200, value)
    assert response.headers["content-type"].partition(";")[0] == "application/json"
    head = tams.head(path_of(document, name))
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.behaviour("GEN-05", "GEN-06")
@pytest.mark.parametrize(("name", "value"), each(GOOD, "02"))
def test_a_member_is_set_and_then_replaced(tams: TamsClient, bare: Json, name: str, value: Any) -> None:
    for sent in (value, GOOD[name][0], value):
        response = tams.put(path_of(bare, name), sent)
        assert (response.status_code, response.content) == (204, b"")
        assert tams.get(path_of(bare, name)).json() == sent
        assert read_flow(tams, bare["id"])[name] == sent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *each({name: BAD[name] for name in ("description", "label")}, "02"),
        *each({name: BAD[name] for name in ("max_bit_rate", "avg_bit_rate")}, "03"),
    ],
)
def test_a_member_of_the_wrong_type_is_rejected(tams: TamsClient, name: str, value: Any) -> None:
    document = tams.make_flow(flow(**{name: GOOD[name][0]}))
    assert tams.request("PUT", path_of(document, name), json=value).status_code == 400
    assert read_flow(tams, document["id"])[name] == GOOD[name][0]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("description", marks=pytest.mark.behaviour("FLOW-DESC-03")),
        pytest.param("label", marks=pytest.mark.behaviour("FLOW-LABEL-03")),
        pytest.param("max_bit_rate", marks=pytest.mark.behaviour("FLOW-MBR-04")),
        pytest.param("avg_bit_rate", marks=pytest.mark.behaviour("FLOW-ABR-04")),
    ],
)
def test_deleting_a_member_leaves_the_others(tams: TamsClient, name: str) -> None:
    document = tams.make_flow(flow(**{each_name: values[0] for each_name, values in GOOD.items()}))
    response = tams.delete(path_of(document, name))
    assert (response.status_code, response.content) == (204, b"")
    read = read_flow(tams, document["id"])
    assert name not in read
    assert {other: read[other] for other in IDS if other != name} == {
        other: document[other] for other in IDS if other != name
    }


@pytest.mark.behaviour("FLOW-DESC-04", "FLOW-LABEL-04", "FLOW-FC-01", "A15")
@pytest.mark.parametrize("name", [*IDS, "flow_collection"])
def test_an_unset_member_is_not_found_or_empty(tams: TamsClient, bare: Json, name: str) -> None:
    response = tams.get(path_of(bare, name))
    assert response.status_code in (200, 404)
    assert response.status_code == 404 or response.json() in ("", [], 0)
    assert tams.head(path_of(bare, name)).status_code == response.status_code
    assert tams.delete(path_of(bare, name)).status_code in (204, 404)
    assert not read_flow(tams, bare["id"]).get(name)


@pytest.mark.behaviour("FLOW-DESC-01", "FLOW-LABEL-01", "FLOW-RO-01", "FLOW-FC-01", "FLOW-MBR-01", "FLOW-ABR-01")
@pytest.mark.parametrize(("method", "name"), OPERATIONS)
@pytest.mark.parametrize("flow_id", [None, "nonsense"])
def test_an_unknown_flow_has_no_members(tams: TamsClient, flow_id: str | None, method: str, name: str) -> None:
    body = BODIES[name] if method == "PUT" else None
    assert tams.request(method, f"/flows/{flow_id or fresh()}/{name}", json=body).status_code == 404


@pytest.mark.behaviour("FLOW-LABEL-01", "FLOW-LABEL-02", "FLOW-LABEL-03")
def test_a_flow_is_found_by_its_current_label(tams: TamsClient, bare: Json) -> None:
    first, second = fresh_name(), fresh_name()

    def found(label: str) -> list[str]:
        return [item["id"] for item in tams.get("/flows", label=label).json()]

    assert tams.put(path_of(bare, "label"), first).status_code == 204
    assert (found(first), found(second)) == ([bare["id"]], [])
    assert tams.put(path_of(bare, "label"), second).status_code == 204
    assert (found(first), found(second)) == ([], [bare["id"]])
    assert tams.delete(path_of(bare, "label")).status_code == 204
    assert (found(first), found(second)) == ([], [])


@pytest.mark.behaviour("FLOW-RO-01", "A30")
@pytest.mark.parametrize("members", [{}, {"read_only": False}, {"read_only": True}], ids=str)
def test_read_only_is_false_until_it_is_set(tams: TamsClient, members: Json) -> None:
    document = tams.make_flow(flow(**members))
    response = tams.get(path_of(document, "read_only"))
    assert (response.status_code, response.json()) == (200, members.get("read_only", False))
    assert tams.head(path_of(document, "read_only")).status_code == 200


@pytest.mark.behaviour("FLOW-RO-02", "FLOW-RO-04", "RO-11")
def test_read_only_can_be_set_and_unset(tams: TamsClient, bare: Json) -> None:
    for value in (True, True, False, False, True):
        assert tams.put(path_of(bare, "read_only"), value).status_code == 204
        assert tams.get(path_of(bare, "read_only")).json() is value
        assert read_flow(tams, bare["id"])["read_only"] is value


@pytest.mark.behaviour("FLOW-RO-03")
@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("value", ["true", 1, 0, None, [], {"read_only": True}], ids=repr)
def test_read_only_accepts_only_booleans(tams: TamsClient, stored: bool, value: Any) -> None:
    document = tams.make_flow(flow(read_only=stored))
    assert tams.request("PUT", path_of(document, "read_only"), json=value).status_code == 400
    assert tams.get(path_of(document, "read_only")).json() is stored


@pytest.mark.behaviour("FLOW-RO-05")
@pytest.mark.parametrize("stored", [True, False])
def test_read_only_cannot_be_deleted(http: httpx.Client, tams: TamsClient, stored: bool) -> None:
    document = tams.make_flow(flow(read_only=stored))
    assert http.delete(path_of(document, "read_only")).status_code in (403, 404, 405)
    assert tams.get(path_of(document, "read_only")).json() is stored


@pytest.mark.behaviour("FLOW-FC-01")
def test_head_of_a_collection_has_no_body(tams: TamsClient) -> None:
    member = tams.make_flow()
    document = tams.make_flow(flow(MULTI, flow_collection=[{"id": member["id"]}]))
    head = tams.head(path_of(document, "flow_collection"))
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.behaviour("FLOW-MBR-05")
def test_the_max_bit_rate_of_a_linked_flow_can_be_set(tams: TamsClient, linked: Json) -> None:
    assert tams.put(path_of(linked, "max_bit_rate"), 7000).status_code == 204
    read = read_flow(tams, linked["id"])
    assert (read["max_bit_rate"], read["profile_id"]) == (7000, linked["profile_id"])
    assert tams.delete(path_of(linked, "max_bit_rate")).status_code == 204
    assert "max_bit_rate" not in read_flow(tams, linked["id"])


@pytest.mark.behaviour("FLOW-ABR-01", "FLOW-ABR-05", "PROF-FLOW-05")
def test_the_average_bit_rate_of_a_linked_flow_comes_from_its_profile(tams: TamsClient, linked: Json) -> None:
    before = read_flow(tams, linked["id"])
    assert tams.get(path_of(linked, "avg_bit_rate")).json() == TECHNICAL[VIDEO]["avg_bit_rate"]
    assert tams.put(path_of(linked, "avg_bit_rate"), 7000).status_code == 400
    assert read_flow(tams, linked["id"]) == before


@pytest.mark.behaviour("FLOW-ABR-06")
def test_the_average_bit_rate_can_be_set_after_unlinking(tams: TamsClient, linked: Json) -> None:
    assert put_flow(tams, {**linked, **TECHNICAL[VIDEO], "profile_id": ""}).status_code == 204
    assert tams.put(path_of(linked, "avg_bit_rate"), 7000).status_code == 204
    assert read_flow(tams, linked["id"])["avg_bit_rate"] == 7000
    assert tams.delete(path_of(linked, "avg_bit_rate")).status_code == 204
    assert "avg_bit_rate" not in read_flow(tams, linked["id"])


@pytest.mark.behaviour("FLOW-ABR-07", "A31", "AMB-07")
def test_the_inherited_average_bit_rate_cannot_be_deleted(tams: TamsClient, linked: Json) -> None:
    before = read_flow(tams, linked["id"])
    response = tams.delete(path_of(linked, "avg_bit_rate"))
    assert response.status_code in (204, 400, 403, 404)
    if response.status_code >= 400:
        assert read_flow(tams, linked["id"]) == before
