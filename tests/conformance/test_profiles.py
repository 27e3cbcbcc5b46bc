"""Profiles: created once, read, listed, and immutable (PROF-LIST-*, PROF-GET-*, PROF-POST-*, PROF-IMM-*)."""

from typing import Any

import httpx
import pytest

from tests.conformance.kit.changes import OMITTED, changed
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, TECHNICAL, VIDEO, Json
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.profiles import make_profile, profile

FORMATS = (VIDEO, AUDIO, IMAGE, DATA)


def path_of(document: Json) -> str:
    return f"/service/profiles/{document['id']}"


@pytest.fixture
def labelled(tams: TamsClient) -> dict[str, Json]:
    """Profiles of each format with a common label."""
    label = fresh_name()
    return {format_: make_profile(tams, format_, label=label) for format_ in FORMATS}


@pytest.mark.behaviour("PROF-POST-01", "PROF-GET-01")
@pytest.mark.parametrize("format_", FORMATS)
def test_a_profile_of_each_format_is_created_and_read_back(tams: TamsClient, format_: str) -> None:
    document = profile(format_, label="House", description="For all", tags={"a": "b", "c": ["d", "e"]})
    response = tams.post(path_of(document), document)
    assert response.status_code == 201
    assert document.items() <= response.json().items()
    assert tams.get(path_of(document)).json() == response.json()


@pytest.mark.behaviour("PROF-GET-01")
def test_head_of_a_profile_has_no_body(tams: TamsClient) -> None:
    response = tams.head(path_of(make_profile(tams)))
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.behaviour("PROF-GET-01", "SVC-GEN-03")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("profile_id", [None, "nonsense", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_profile_is_not_found(tams: TamsClient, method: str, profile_id: str | None) -> None:
    assert tams.request(method, f"/service/profiles/{profile_id or fresh()}").status_code == 404


@pytest.mark.behaviour("PROF-POST-02", "PROF-IMM-01", "AMB-05")
@pytest.mark.parametrize("label", ["First", "Second"], ids=["same-body", "other-body"])
def test_a_profile_is_not_created_twice(tams: TamsClient, label: str) -> None:
    document = make_profile(tams, label="First")
    before = tams.get(path_of(document)).json()
    assert tams.post(path_of(document), {**document, "label": label}).status_code == 400
    assert tams.get(path_of(document)).json() == before


@pytest.mark.behaviour("PROF-POST-04", "SVC-GEN-04")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", OMITTED),
        ("id", "nonsense"),
        ("flow_metadata", OMITTED),
        ("flow_metadata", {}),
        ("flow_metadata", None),
        ("flow_metadata", TECHNICAL[MULTI]),
        ("flow_metadata", {**TECHNICAL[MULTI], "container": "video/mp2t", "essence_parameters": {}}),
        ("flow_metadata.format", OMITTED),
        ("flow_metadata.codec", OMITTED),
        ("flow_metadata.codec", "h264"),
        ("flow_metadata.essence_parameters", OMITTED),
        ("flow_metadata.essence_parameters.frame_width", 0),
        ("flow_metadata.essence_parameters.no_such_key", 1),
        ("flow_metadata.avg_bit_rate", -1),
        ("label", 5),
        ("description", ["a"]),
        ("tags", {"a": 1}),
    ],
    ids=str,
)
def test_an_invalid_profile_is_rejected_and_not_stored(tams: TamsClient, path: str, value: Any) -> None:
    document = profile()
    assert tams.post(path_of(document), changed(document, path, value)).status_code == 400
    assert tams.get(path_of(document)).status_code == 404


@pytest.mark.behaviour("PROF-POST-05", "SVC-GEN-07")
def test_a_profile_states_when_it_was_created(tams: TamsClient) -> None:
    document = make_profile(tams, created="2001-02-03T04:05:06Z")
    created = tams.get(path_of(document)).json()["created"]
    assert not created.startswith("2001-02-03")


@pytest.mark.behaviour("PROF-POST-06")
@pytest.mark.parametrize("sent", [{}, {"created_by": "somebody-else"}], ids=["left-out", "given"])
def test_a_profile_names_its_creator(tams: TamsClient, sent: Json) -> None:
    assert tams.get(path_of(make_profile(tams, **sent))).json()["created_by"]


@pytest.mark.behaviour("PROF-POST-07", "SVC-GEN-03")
@pytest.mark.parametrize("profile_id", ["nonsense", "8f14e45f-ceea-767f-a8d4-dd1c3b1e0f00"])
def test_a_profile_with_a_malformed_id_is_rejected(tams: TamsClient, profile_id: str) -> None:
    assert tams.post(f"/service/profiles/{profile_id}", profile()).status_code == 404


@pytest.mark.behaviour("PROF-IMM-01", "PROF-POST-08")
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("below", ["", "/tags/house", "/tags", "/label", "/description"])
def test_nothing_changes_or_removes_a_profile(http: httpx.Client, tams: TamsClient, method: str, below: str) -> None:
    document = make_profile(tams, label="Fixed", tags={"house": "north"})
    before = tams.get(path_of(document)).json()
    body = None if method == "DELETE" else ({**document, "label": "Loose"} if not below else "Loose")
    assert http.request(method, path_of(document) + below, json=body).status_code in (404, 405)
    assert tams.get(path_of(document)).json() == before


@pytest.mark.behaviour("PROF-LIST-01", "PROF-LIST-02")
def test_profiles_are_filtered_by_label(tams: TamsClient, labelled: dict[str, Json]) -> None:
    listed = tams.get("/service/profiles", label=labelled[VIDEO]["label"]).json()
    assert {item["id"] for item in listed} == {document["id"] for document in labelled.values()}
    assert all(item == tams.get(path_of(item)).json() for item in listed)


@pytest.mark.behaviour("PROF-LIST-02")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"format": VIDEO}, {VIDEO}),
        ({"format": IMAGE}, {IMAGE}),
        ({"codec": "audio/aac"}, {AUDIO}),
        ({"codec": "text/plain", "format": DATA}, {DATA}),
        ({"codec": "text/plain", "format": VIDEO}, set()),
        ({"codec": "audio/mpeg"}, set()),
    ],
    ids=str,
)
def test_profiles_must_match_every_filter(
    tams: TamsClient, labelled: dict[str, Json], query: dict[str, str], found: set[str]
) -> None:
    listed = tams.get("/service/profiles", label=labelled[VIDEO]["label"], **query).json()
    assert {item["flow_metadata"]["format"] for item in listed} == found
    assert len(listed) == len(found)


@pytest.mark.behaviour("PROF-LIST-02")
@pytest.mark.parametrize("alter", [str.upper, lambda label: label[:-1], lambda label: label + " "])
def test_a_profile_is_found_only_by_its_whole_label(tams: TamsClient, alter: Any) -> None:
    label = fresh_name("profile")
    make_profile(tams, label=label)
    assert tams.get("/service/profiles", label=alter(label)).json() == []


@pytest.mark.behaviour("PROF-LIST-02")
def test_a_profile_without_a_label_matches_no_label(tams: TamsClient) -> None:
    bare = make_profile(tams)
    pages = tams.pages("/service/profiles", label="")
    assert bare["id"] not in {item["id"] for page in pages for item in page.json()}


@pytest.mark.behaviour("PROF-LIST-03", "PROF-HEAD-01")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "query",
    [{"format": "video"}, {"format": ""}, {"codec": "h264"}, {"codec": "video/h264; a=b"}, {"limit": "many"}],
    ids=str,
)
def test_a_malformed_query_for_profiles_is_rejected(tams: TamsClient, method: str, query: dict[str, str]) -> None:
    assert tams.request(method, "/service/profiles", params=query).status_code == 400


@pytest.mark.behaviour("AMB-06", "PROF-HEAD-01")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_profile_has_the_multi_format(tams: TamsClient, labelled: dict[str, Json], method: str) -> None:
    response = tams.request(method, "/service/profiles", params={"format": MULTI, "label": labelled[VIDEO]["label"]})
    assert response.status_code in ((200,) if method == "GET" else (200, 400))
    assert response.content in (b"", b"[]", b"[]\n")


@pytest.mark.behaviour("PROF-LIST-04", "PROF-LIST-05", "PAGE-03")
@pytest.mark.parametrize("limit", [1, 3, 4, 100])
def test_pages_list_every_profile_once(tams: TamsClient, labelled: dict[str, Json], limit: int) -> None:
    label = labelled[VIDEO]["label"]
    pages = list(tams.pages("/service/profiles", label=label, limit=limit))
    ids = [item["id"] for page in pages for item in page.json()]
    assert sorted(ids) == sorted(document["id"] for document in labelled.values())
    assert all(len(page.json()) <= limit for page in pages)
    again = [item["id"] for page in tams.pages("/service/profiles", label=label, limit=limit) for item in page.json()]
    assert again == ids


@pytest.mark.behaviour("PROF-LIST-04", "PROF-HEAD-01")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_of_profiles_links_to_the_next(tams: TamsClient, labelled: dict[str, Json], method: str) -> None:
    query = {"label": labelled[VIDEO]["label"], "limit": "3"}
    first = tams.request(method, "/service/profiles", params=query)
    assert first.status_code == 200
    assert first.headers["X-Paging-Limit"] == "3"
    by_key = tams.get("/service/profiles", **query, page=first.headers["X-Paging-NextKey"])
    by_link = tams.request("GET", first.links["next"]["url"])
    assert len(by_key.json()) == 1
    assert by_key.json() == by_link.json()
    assert "next" not in by_key.links
