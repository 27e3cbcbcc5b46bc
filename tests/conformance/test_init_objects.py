"""Init objects: shared by media objects, not usable as media, and removed with the last media object."""

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json, flow, init_flow
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.instances import add_uncontrolled_url, get_urls
from tests.conformance.kit.segments import object_status, post_segment, read_object, register_segment, timeranges


@pytest.fixture
def owner(tams: TamsClient) -> Json:
    """A flow whose media objects need init objects."""
    return tams.make_flow(init_flow())


@pytest.fixture
def pair(tams: TamsClient, owner: Json) -> tuple[str, str]:
    """The ids of an init object and of a media object that needs it."""
    init_id, media_id = tams.make_objects(owner["id"], 2)
    register_segment(tams, owner["id"], object_id=media_id, init_object_id=init_id)
    return init_id, media_id


@pytest.mark.behaviour("SEG-POST-45", "SEG-GET-39", "OBJ-11", "INIT-01", "INIT-03")
def test_segment_and_object_reference_the_init_object(tams: TamsClient, owner: Json, pair: tuple[str, str]) -> None:
    init_id, media_id = pair
    (segment,) = tams.segments(owner["id"])
    assert segment["init_object"]["object_id"] == init_id
    assert "id" not in segment["init_object"]
    assert segment["init_object"]["get_urls"]
    document = read_object(tams, media_id)
    assert document["init_object"]["id"] == init_id
    assert document["init_object"]["get_urls"]


@pytest.mark.behaviour("SEG-GET-39", "OBJ-11")
def test_without_an_init_object_no_init_members_are_shown(tams: TamsClient) -> None:
    plain = tams.make_flow()
    object_id = register_segment(tams, plain["id"])
    assert "init_object" not in tams.segments(plain["id"])[0]
    assert "init_object" not in read_object(tams, object_id)


@pytest.mark.behaviour("OBJ-09", "OBJ-10", "INIT-04", "OBJ-08")
def test_an_init_object_has_no_timerange_and_lists_its_flows(
    tams: TamsClient, owner: Json, pair: tuple[str, str]
) -> None:
    init_id, media_id = pair
    init = read_object(tams, init_id)
    assert "timerange" not in init
    assert "init_object" not in init
    assert init["referenced_by_flows"] == [owner["id"]]
    assert init.get("first_referenced_by_flow", owner["id"]) == owner["id"]
    other = tams.make_flow(init_flow())
    register_segment(tams, other["id"], object_id=media_id)
    assert set(read_object(tams, init_id)["referenced_by_flows"]) == {owner["id"], other["id"]}


@pytest.mark.behaviour("SEG-POST-46", "SEG-GET-40", "SEG-POST-64")
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_media_objects_share_an_init_object(tams: TamsClient, owner: Json, bulk: bool) -> None:
    init_id, *media_ids = tams.make_objects(owner["id"], 4)
    segments = [
        {"object_id": each, "init_object_id": init_id, "timerange": f"[{n}:0_{n + 1}:0)"}
        for n, each in enumerate(media_ids)
    ]
    for body in [segments] if bulk else segments:
        assert tams.post(f"/flows/{owner['id']}/segments", body).status_code == 201
    assert [each["init_object"]["object_id"] for each in tams.segments(owner["id"])] == [init_id] * 3


@pytest.mark.behaviour("SEG-POST-47", "INIT-02")
def test_an_init_object_cannot_be_used_as_media(tams: TamsClient, owner: Json, pair: tuple[str, str]) -> None:
    init_id = pair[0]
    (another,) = tams.make_objects(owner["id"], 1)
    response = post_segment(tams, owner["id"], init_id, "[10:0_20:0)", init_object_id=another)
    assert response.status_code == 400
    assert post_segment(tams, tams.make_flow()["id"], init_id, "[0:0_10:0)").status_code == 400
    assert object_status(tams, another) == 404


@pytest.mark.behaviour("SEG-POST-48", "INIT-02")
def test_a_media_object_cannot_be_used_as_an_init_object(tams: TamsClient, owner: Json, pair: tuple[str, str]) -> None:
    (another,) = tams.make_objects(owner["id"], 1)
    response = post_segment(tams, owner["id"], another, "[10:0_20:0)", init_object_id=pair[1])
    assert response.status_code == 400
    assert timeranges(tams, owner["id"]) == ["[0:0_10:0)"]


@pytest.mark.behaviour("SEG-POST-49")
def test_an_object_is_not_its_own_init_object(tams: TamsClient, owner: Json) -> None:
    (object_id,) = tams.make_objects(owner["id"], 1)
    assert post_segment(tams, owner["id"], object_id, "[0:0_1:0)", init_object_id=object_id).status_code == 400


@pytest.mark.behaviour("SEG-POST-50", "A44")
def test_an_unknown_init_object_is_rejected(tams: TamsClient, owner: Json) -> None:
    (object_id,) = tams.make_objects(owner["id"], 1)
    response = post_segment(tams, owner["id"], object_id, "[0:0_1:0)", init_object_id=fresh_name("unknown"))
    assert response.status_code == 400


@pytest.mark.behaviour("SEG-POST-54", "A44")
def test_an_init_object_is_first_used_by_the_flow_it_was_allocated_for(tams: TamsClient, owner: Json) -> None:
    elsewhere = tams.make_flow(init_flow())
    (init_id,) = tams.make_objects(elsewhere["id"], 1)
    (object_id,) = tams.make_objects(owner["id"], 1)
    assert post_segment(tams, owner["id"], object_id, "[0:0_1:0)", init_object_id=init_id).status_code == 400
    register_segment(tams, elsewhere["id"], "[0:0_1:0)", init_object_id=init_id)
    register_segment(tams, owner["id"], "[0:0_1:0)", object_id=object_id, init_object_id=init_id)


@pytest.mark.behaviour("SEG-POST-51", "INIT-01")
@pytest.mark.parametrize("marked", [None, False], ids=["unset", "false"])
def test_a_flow_without_init_segments_rejects_init_objects(tams: TamsClient, marked: bool | None) -> None:
    document = flow()
    if marked is not None:
        document["essence_parameters"] = {**document["essence_parameters"], "init_segments": marked}
    tams.make_flow(document)
    init_id, object_id = tams.make_objects(document["id"], 2)
    response = post_segment(tams, document["id"], object_id, "[0:0_1:0)", init_object_id=init_id)
    assert response.status_code == 400


@pytest.mark.behaviour("SEG-POST-52", "INIT-01")
def test_a_flow_with_init_segments_requires_one_for_every_new_object(tams: TamsClient, owner: Json) -> None:
    (object_id,) = tams.make_objects(owner["id"], 1)
    assert post_segment(tams, owner["id"], object_id, "[0:0_1:0)").status_code == 400
    assert object_status(tams, object_id) == 404


@pytest.mark.behaviour("SEG-POST-53", "SEG-POST-34")
@pytest.mark.parametrize("named", [False, True], ids=["left out", "said again"])
def test_a_reused_object_keeps_its_init_object(tams: TamsClient, pair: tuple[str, str], named: bool) -> None:
    other = tams.make_flow(init_flow())
    more = {"init_object_id": pair[0]} if named else {}
    register_segment(tams, other["id"], object_id=pair[1], **more)
    assert tams.segments(other["id"])[0]["init_object"]["object_id"] == pair[0]


@pytest.mark.behaviour("SEG-POST-32")
def test_an_object_cannot_change_its_init_object(tams: TamsClient, owner: Json, pair: tuple[str, str]) -> None:
    (another,) = tams.make_objects(owner["id"], 1)
    response = post_segment(tams, owner["id"], pair[1], "[10:0_20:0)", ts_offset="10:0", init_object_id=another)
    assert response.status_code == 400
    assert read_object(tams, pair[1])["init_object"]["id"] == pair[0]


@pytest.mark.behaviour("SEG-DEL-16", "INIT-05", "OBJ-LIFE-04", "OBJ-LIFE-05", "DEL-04")
def test_an_init_object_remains_while_any_media_object_references_it(
    tams: TamsClient, owner: Json, pair: tuple[str, str]
) -> None:
    init_id, media_id = pair
    register_segment(tams, owner["id"], "[10:0_20:0)", init_object_id=init_id)
    assert tams.delete(f"/flows/{owner['id']}/segments", object_id=media_id).status_code == 204
    assert (object_status(tams, media_id), object_status(tams, init_id)) == (404, 200)
    assert tams.delete(f"/flows/{owner['id']}/segments").status_code == 204
    assert object_status(tams, init_id) == 404


@pytest.mark.behaviour("OBJ-LIFE-05", "INIT-05")
def test_an_init_object_is_removed_with_its_last_flow(tams: TamsClient, owner: Json, pair: tuple[str, str]) -> None:
    other = tams.make_flow(init_flow())
    register_segment(tams, other["id"], object_id=pair[1])
    assert tams.delete(f"/flows/{owner['id']}").status_code == 204
    assert [object_status(tams, each) for each in pair] == [200, 200]
    assert read_object(tams, pair[0])["referenced_by_flows"] == [other["id"]]
    assert tams.delete(f"/flows/{other['id']}").status_code == 204
    assert [object_status(tams, each) for each in pair] == [404, 404]


@pytest.mark.behaviour("OBJ-INST-POST-13", "OBJ-INST-POST-14", "OBJ-INST-DEL-09", "INIT-06")
def test_media_and_init_objects_have_separate_instances(tams: TamsClient, owner: Json, pair: tuple[str, str]) -> None:
    init_id, media_id = pair
    label = add_uncontrolled_url(tams, media_id)["label"]
    assert label not in {each.get("label") for each in get_urls(tams, "object", owner["id"], init_id)}
    assert (
        tams.post(
            f"/objects/{init_id}/instances", {"url": "https://media.example.com/init", "label": label}
        ).status_code
        == 201
    )
    assert tams.delete(f"/objects/{media_id}/instances", label=label).status_code == 204
    assert label in {each.get("label") for each in get_urls(tams, "object", owner["id"], init_id)}
    init_urls = tams.segments(owner["id"])[0]["init_object"]["get_urls"]
    assert label in {each.get("label") for each in init_urls}


@pytest.mark.behaviour("INIT-07", "A17")
@pytest.mark.parametrize("init_segments", [True, False])
def test_flows_are_found_by_whether_they_need_init_objects(tams: TamsClient, init_segments: bool) -> None:
    source = tams.make_flow(init_flow())["source_id"]
    plain = tams.make_flow(source_id=source)
    found = [
        item for page in tams.pages("/flows", source_id=source, init_segments=init_segments) for item in page.json()
    ]
    assert (plain["id"] in {each["id"] for each in found}) is not init_segments
    assert len(found) == 1
