"""Sources: listing, reading, and writing of labels and descriptions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, VIDEO, Json, flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.queries import Value, with_query
from tests.conformance.kit.shared_client import shared_client

FORMATS = [VIDEO, AUDIO, IMAGE, DATA, MULTI]
MEMBERS = pytest.mark.parametrize("member", ["label", "description"])


@dataclass(frozen=True, slots=True)
class Family:
    """Sources with one label: "one" collects "a", "two" collects "a" and "b", and nothing collects "uncollected"."""

    label: str
    ids: dict[str, str]

    def found(self, tams: TamsClient, **params: Value | None) -> set[str]:
        """The names of the sources that a filtered listing returns."""
        names = {id_: name for name, id_ in self.ids.items()}
        response = tams.request("GET", with_query("/sources", {"label": self.label, **params}))
        assert response.status_code == 200, response.text
        return {names[source["id"]] for source in response.json()}


@pytest.fixture(scope="module")
def family(http: httpx.Client) -> Iterator[Family]:
    with shared_client(http) as tams:
        label = fresh_name("label")
        made: dict[str, Json] = {}
        for name, members in {"a": "", "b": "", "uncollected": "", "one": "a", "two": "ab"}.items():
            collected = [{"id": made[member]["id"]} for member in members]
            document = flow(MULTI, flow_collection=collected) if members else flow(VIDEO)
            made[name] = tams.make_flow(document)
            assert tams.put(f"/sources/{made[name]['source_id']}/label", label).status_code == 204
        yield Family(label, {name: each["source_id"] for name, each in made.items()})


@pytest.fixture
def source(tams: TamsClient) -> str:
    """The path of a new source without label and description."""
    return f"/sources/{tams.make_flow()['source_id']}"


# -- Listing


@pytest.mark.behaviour("SRC-LIST-01", "SRC-LIST-03", "SRC-LIST-07")
def test_sources_are_found_by_their_whole_label(tams: TamsClient, family: Family) -> None:
    assert family.found(tams) == {"a", "b", "uncollected", "one", "two"}
    for other in (family.label[:-1], family.label.upper(), f"{family.label} ", f"%{family.label}"):
        assert tams.request("GET", with_query("/sources", {"label": other})).json() == []


@pytest.mark.behaviour("SRC-LIST-04", "SRC-LIFE-01")
@pytest.mark.parametrize("format_", FORMATS)
def test_sources_are_found_by_format(tams: TamsClient, format_: str) -> None:
    label = fresh_name("label")
    source_id = tams.make_flow(flow(format_))["source_id"]
    assert tams.put(f"/sources/{source_id}/label", label).status_code == 204
    found = {
        each: [source["id"] for source in tams.get("/sources", label=label, format=each).json()] for each in FORMATS
    }
    assert found == {each: [source_id] if each == format_ else [] for each in FORMATS}


@pytest.mark.behaviour("SRC-LIST-04")
@pytest.mark.parametrize(
    "format_", ["video", "urn:x-nmos:format:vide", "urn:x-nmos:format:VIDEO", "urn:x-nmos:format:mux", ""]
)
def test_an_unknown_format_is_rejected(tams: TamsClient, format_: str) -> None:
    assert tams.get("/sources", format=format_).status_code == 400


@pytest.mark.behaviour("SRC-LIST-05", "SRC-LIST-06", "SRC-LIST-08")
@pytest.mark.parametrize(
    ("collectors", "members"),
    [
        (["one"], {"a"}),
        (["two"], {"a", "b"}),
        (["one", "two"], {"a", "b"}),
        (["two", "one"], {"a", "b"}),
        (["a"], set()),
        (["unknown"], set()),
        (["unknown", "one"], {"a"}),
        ([], {"uncollected", "one", "two"}),
    ],
)
def test_sources_are_found_by_their_collectors(
    tams: TamsClient, family: Family, collectors: list[str], members: set[str]
) -> None:
    ids = [family.ids.get(name, fresh()) for name in collectors]
    assert family.found(tams, collected_by_ids=ids) == members


@pytest.mark.behaviour("SRC-LIST-08")
@pytest.mark.parametrize("ids", ["zzz", "{id},,{id}", ",{id}", "{id},", "{id},zzz", ","])
def test_a_malformed_list_of_collectors_is_rejected(tams: TamsClient, ids: str) -> None:
    response = tams.request("GET", f"/sources?collected_by_ids={ids.format(id=fresh())}")
    assert response.status_code == 400


@pytest.mark.behaviour("SRC-LIST-11")
@pytest.mark.parametrize(
    ("params", "members"),
    [
        ({"format": VIDEO}, {"a", "b", "uncollected"}),
        ({"format": VIDEO, "collected_by_ids": []}, {"uncollected"}),
        ({"format": MULTI, "collected_by_ids": []}, {"one", "two"}),
        ({"format": AUDIO}, set()),
    ],
)
def test_several_filters_must_all_match(
    tams: TamsClient, family: Family, params: dict[str, Value], members: set[str]
) -> None:
    assert family.found(tams, **params) == members


@pytest.mark.behaviour("SRC-LIST-01", "SRC-GET-01")
def test_a_source_is_listed_as_it_reads(tams: TamsClient, family: Family) -> None:
    listed = tams.get("/sources", label=family.label).json()
    assert listed == [tams.get(f"/sources/{each['id']}").json() for each in listed]


# -- Reading


@pytest.mark.behaviour("SRC-GET-01", "SRC-LIFE-01")
@pytest.mark.parametrize("format_", FORMATS)
def test_a_source_has_the_format_of_its_flow(tams: TamsClient, format_: str) -> None:
    source_id = tams.make_flow(flow(format_))["source_id"]
    response = tams.get(f"/sources/{source_id}")
    assert response.status_code == 200
    assert response.json()["id"] == source_id
    assert response.json()["format"] == format_


@pytest.mark.behaviour("SRC-GET-02", "SRC-GET-03")
def test_an_unknown_source_is_not_found(tams: TamsClient) -> None:
    assert tams.get(f"/sources/{fresh()}").status_code == tams.head(f"/sources/{fresh()}").status_code == 404


# -- Labels and descriptions


@pytest.mark.behaviour("SRC-DESC-01", "SRC-DESC-04", "SRC-DESC-09")
@MEMBERS
@pytest.mark.parametrize("text", ["text", "", "ü 日本 🎬", 'a "quoted" \\ text', "two\nlines", "long " * 5000])
def test_a_text_reads_back_as_written(tams: TamsClient, source: str, member: str, text: str) -> None:
    assert tams.put(f"{source}/{member}", text).status_code == 204
    response = tams.get(f"{source}/{member}")
    assert (response.status_code, response.json()) == (200, text)
    assert tams.get(source).json()[member] == text


@pytest.mark.behaviour("SRC-DESC-04")
@MEMBERS
def test_a_text_is_replaced(tams: TamsClient, source: str, member: str) -> None:
    for text in ("first", "second"):
        assert tams.put(f"{source}/{member}", text).status_code == 204
    assert tams.get(source).json()[member] == "second"


@pytest.mark.behaviour("SRC-DESC-05")
@MEMBERS
@pytest.mark.parametrize("value", [5, None, True, {"label": "text"}, ["text"]], ids=repr)
def test_a_value_that_is_not_a_string_is_rejected(tams: TamsClient, source: str, member: str, value: Any) -> None:
    assert tams.put(f"{source}/{member}", "before").status_code == 204
    assert tams.put(f"{source}/{member}", value).status_code == 400
    assert tams.get(source).json()[member] == "before"


@pytest.mark.behaviour("SRC-DESC-05", "GEN-03")
@MEMBERS
def test_an_unquoted_text_is_rejected(tams: TamsClient, source: str, member: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert tams.request("PUT", f"{source}/{member}", content=b"unquoted", headers=headers).status_code == 400


@pytest.mark.behaviour("SRC-DESC-03", "SRC-DESC-07", "A15")
@MEMBERS
def test_a_deleted_text_is_gone(tams: TamsClient, source: str, member: str) -> None:
    assert tams.put(f"{source}/{member}", "text").status_code == 204
    assert tams.delete(f"{source}/{member}").status_code == 204
    assert member not in tams.get(source).json()
    response = tams.get(f"{source}/{member}")
    assert response.status_code == 404 or (response.status_code == 200 and response.json() == "")
    assert tams.head(f"{source}/{member}").status_code == response.status_code
    assert tams.delete(f"{source}/{member}").status_code in (204, 404)


@pytest.mark.behaviour("SRC-DESC-06", "SRC-DESC-08", "SRC-DESC-02")
@MEMBERS
def test_texts_of_an_unknown_source_are_not_found(tams: TamsClient, member: str) -> None:
    path = f"/sources/{fresh()}"
    responses = [
        tams.get(f"{path}/{member}"),
        tams.head(f"{path}/{member}"),
        tams.put(f"{path}/{member}", "text"),
        tams.delete(f"{path}/{member}"),
        tams.get(path),
    ]
    assert [response.status_code for response in responses] == [404] * 5


@pytest.mark.behaviour("SRC-DESC-10", "SRC-LIST-03")
def test_a_source_is_found_by_its_new_label_only(tams: TamsClient, source: str) -> None:
    first, second = fresh_name("label"), fresh_name("label")
    for label in (first, second):
        assert tams.put(f"{source}/label", label).status_code == 204
    assert tams.get("/sources", label=first).json() == []
    assert [f"/sources/{each['id']}" for each in tams.get("/sources", label=second).json()] == [source]
    assert tams.delete(f"{source}/label").status_code == 204
    assert tams.get("/sources", label=second).json() == []
