"""Profiles and the flows that use them: the choices of this server where the standard leaves them open."""

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, MULTI, TECHNICAL, VIDEO, Json, flow
from tests.conformance.kit.flow_states import put_flow, read_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.profiles import linked_flow, make_profile, profile

UNKNOWN = "7d3f0c52-1b7e-4c8a-9a55-0c1de2f3a4b6"


@pytest.fixture
def linked(tams: TamsClient) -> Json:
    """A flow with a profile, as sent."""
    return tams.make_flow(linked_flow(make_profile(tams)["id"]))


@pytest.mark.behaviour("PROF-POST-03")
def test_a_profile_whose_id_differs_from_the_path_is_rejected(tams: TamsClient) -> None:
    document, path_id = profile(), fresh()
    assert tams.post(f"/service/profiles/{path_id}", document).status_code == 400
    for id_ in (path_id, document["id"]):
        assert tams.get(f"/service/profiles/{id_}").status_code == 404


@pytest.mark.behaviour("PROF-POST-09")
@pytest.mark.parametrize("members", [{"max_bit_rate": 1}, {"label": "A"}, {"tags": {}}], ids=list)
def test_a_profile_must_not_contain_members_of_a_single_flow(tams: TamsClient, members: Json) -> None:
    document = profile(flow_metadata={**TECHNICAL[VIDEO], **members})
    response = tams.post(f"/service/profiles/{document['id']}", document)
    assert response.status_code == 400
    assert next(iter(members)) in response.json()["detail"]


@pytest.mark.behaviour("PROF-IMM-01", "A01")
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_no_other_method_is_allowed_on_a_profile(http: httpx.Client, tams: TamsClient, method: str) -> None:
    response = http.request(method, f"/service/profiles/{make_profile(tams)['id']}")
    assert response.status_code == 405
    assert {"GET", "HEAD", "POST"} <= set(response.headers["Allow"].replace(" ", "").split(","))


@pytest.mark.behaviour("PROF-LIST-05")
def test_profiles_are_listed_by_label_and_then_by_id(tams: TamsClient) -> None:
    codec = f"video/{fresh_name()}"
    metadata = {**TECHNICAL[VIDEO], "codec": codec}
    for label in ({"label": "b"}, {}, {"label": "a"}, {"label": "b"}, {"label": "B"}):
        make_profile(tams, **label, flow_metadata=metadata)
    pages = tams.pages("/service/profiles", codec=codec, limit=2)
    listed = [(item.get("label"), item["id"]) for page in pages for item in page.json()]
    assert [label for label, _ in listed] == ["B", "a", "b", "b", None]
    assert listed[2][1] < listed[3][1]


@pytest.mark.behaviour("PROF-POST-05", "SVC-GEN-08")
def test_unknown_members_are_dropped(tams: TamsClient) -> None:
    document = make_profile(tams, urn="urn:x-house:1")
    read = tams.get(f"/service/profiles/{document['id']}").json()
    assert set(read) == {"id", "created", "created_by", "flow_metadata"}


@pytest.mark.behaviour("FLOW-PROF-07", "A24", "AMB-07")
def test_equal_technical_metadata_without_the_profile_keeps_the_link(tams: TamsClient, linked: Json) -> None:
    unlinked = {name: value for name, value in linked.items() if name != "profile_id"}
    assert put_flow(tams, {**unlinked, **TECHNICAL[VIDEO], "label": "A"}).status_code == 204
    read = read_flow(tams, linked["id"])
    assert (read["profile_id"], read["label"]) == (linked["profile_id"], "A")


@pytest.mark.behaviour("AMB-07")
def test_a_flow_without_segments_may_change_to_a_profile_of_its_format(tams: TamsClient, linked: Json) -> None:
    metadata = {**TECHNICAL[VIDEO], "codec": "video/hevc"}
    other = make_profile(tams, flow_metadata=metadata)["id"]
    assert put_flow(tams, {**linked, "profile_id": other}).status_code == 204
    assert {**metadata, "profile_id": other}.items() <= read_flow(tams, linked["id"]).items()


@pytest.mark.behaviour("AMB-07", "FLOW-PROF-11")
def test_a_profile_of_another_format_is_rejected(tams: TamsClient, linked: Json) -> None:
    other = make_profile(tams, AUDIO)["id"]
    assert put_flow(tams, {**linked, "profile_id": other}).status_code == 400
    assert read_flow(tams, linked["id"])["profile_id"] == linked["profile_id"]


@pytest.mark.behaviour("AMB-07")
def test_a_flow_with_segments_cannot_change_its_profile(tams: TamsClient, linked: Json) -> None:
    tams.make_segments(linked["id"], ["[0:0_1:0)"])
    assert put_flow(tams, {**linked, "profile_id": make_profile(tams)["id"]}).status_code == 400
    assert put_flow(tams, {**linked, "label": "A"}).status_code == 204
    assert read_flow(tams, linked["id"])["profile_id"] == linked["profile_id"]


@pytest.mark.behaviour("FLOW-PROF-01", "AMB-07")
def test_a_flow_may_be_linked_later(tams: TamsClient) -> None:
    document = tams.make_flow()
    profile_id = make_profile(tams)["id"]
    sent = {"id": document["id"], "source_id": document["source_id"], "profile_id": profile_id}
    assert put_flow(tams, sent).status_code == 204
    assert {**sent, **TECHNICAL[VIDEO]}.items() <= read_flow(tams, document["id"]).items()


@pytest.mark.behaviour("FLOW-ABR-05", "FLOW-ABR-07", "A31", "AMB-07")
def test_the_bit_rate_of_a_profile_cannot_be_changed_or_deleted(tams: TamsClient, linked: Json) -> None:
    path = f"/flows/{linked['id']}/avg_bit_rate"
    assert (tams.put(path, 1).status_code, tams.delete(path).status_code) == (400, 403)


@pytest.mark.behaviour("FLOW-PROF-02", "FLOW-PROF-04", "FLOW-PROF-07")
@pytest.mark.parametrize(
    ("members", "field"),
    [({"profile_id": UNKNOWN}, "profile_id"), ({"codec": "video/hevc"}, "codec"), ({"profile_id": 5}, "profile_id")],
    ids=["unknown", "mixed", "wrong-kind"],
)
def test_an_error_about_a_profile_names_the_member(tams: TamsClient, linked: Json, members: Json, field: str) -> None:
    response = put_flow(tams, {**linked, **members})
    assert response.status_code == 400
    assert field in response.json()["detail"]


@pytest.mark.behaviour("AMB-06", "PROF-HEAD-01")
def test_no_profile_has_the_multi_format(tams: TamsClient) -> None:
    response = tams.get("/service/profiles", format=MULTI)
    assert (response.status_code, response.json()) == (200, [])
    assert tams.head("/service/profiles", format=MULTI).status_code in (200, 400)


@pytest.mark.behaviour("AMB-08", "A25")
def test_an_empty_profile_at_creation_counts_as_none(tams: TamsClient) -> None:
    assert "profile_id" not in read_flow(tams, tams.make_flow(flow(profile_id=""))["id"])
