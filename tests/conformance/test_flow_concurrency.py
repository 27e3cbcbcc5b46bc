"""Concurrent writes to the same flow, source or profile: none is lost, and none is applied twice."""

from functools import partial

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.concurrency import run_concurrently
from tests.conformance.kit.documents import AUDIO, MULTI, VIDEO, flow
from tests.conformance.kit.flow_states import flow_exists, put_flow, read_flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.profiles import profile

CLIENTS = 6


@pytest.mark.behaviour("FLOW-PUT-01", "FLOW-PUT-02")
def test_concurrent_puts_create_a_flow_once_and_then_replace_it(tams: TamsClient) -> None:
    document = flow()
    responses = run_concurrently([partial(put_flow, tams, {**document, "label": str(n)}) for n in range(CLIENTS)])
    assert sorted(response.status_code for response in responses) == [201, *[204] * (CLIENTS - 1)]
    assert int(read_flow(tams, document["id"])["label"]) in range(CLIENTS)


@pytest.mark.behaviour("FLOW-SRC-01", "SRC-LIFE-01")
def test_concurrent_first_flows_agree_on_the_format_of_their_source(tams: TamsClient) -> None:
    source_id = fresh()
    documents = [flow((VIDEO, AUDIO)[n % 2], source_id=source_id) for n in range(CLIENTS)]
    responses = run_concurrently([partial(put_flow, tams, each) for each in documents])
    format_ = tams.get(f"/sources/{source_id}").json()["format"]
    for document, response in zip(documents, responses, strict=True):
        assert response.status_code == (201 if document["format"] == format_ else 400)
        assert flow_exists(tams, document["id"]) == (response.status_code == 201)


@pytest.mark.behaviour("FLOW-TAG-03", "FLOW-TAG-06", "FLOW-META-15")
def test_tags_set_concurrently_are_all_kept(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    expected_tags = {f"tag-{n}": str(n) for n in range(CLIENTS)}
    responses = run_concurrently(
        [partial(tams.put, f"/flows/{flow_id}/tags/{name}", value) for name, value in expected_tags.items()]
        + [partial(tams.put, f"/flows/{flow_id}/label", "L"), partial(tams.put, f"/flows/{flow_id}/max_bit_rate", 5)]
    )
    assert {response.status_code for response in responses} == {204}
    read = read_flow(tams, flow_id)
    assert (read["tags"], read["label"], read["max_bit_rate"]) == (expected_tags, "L", 5)


@pytest.mark.behaviour("FLOW-COLL-06", "FLOW-COLL-07")
def test_a_member_names_all_collectors_that_added_it_concurrently(tams: TamsClient) -> None:
    member = tams.make_flow()["id"]
    documents = [flow(MULTI, flow_collection=[{"id": member}]) for _ in range(CLIENTS)]
    responses = run_concurrently([partial(put_flow, tams, each) for each in documents])
    assert {response.status_code for response in responses} == {201}
    assert sorted(read_flow(tams, member)["collected_by"]) == sorted(each["id"] for each in documents)


@pytest.mark.behaviour("FLOW-DEL-11", "FLOW-COLL-04", "A28")
@pytest.mark.parametrize("attempt", range(3))
def test_a_flow_deleted_while_being_collected_is_not_listed_as_a_member(tams: TamsClient, attempt: int) -> None:
    member, parent = tams.make_flow()["id"], tams.make_flow(flow(MULTI))["id"]
    collected, deleted = run_concurrently(
        [
            partial(tams.put, f"/flows/{parent}/flow_collection", [{"id": member}]),
            partial(tams.delete, f"/flows/{member}"),
        ]
    )
    assert collected.status_code in (204, 400)
    items = read_flow(tams, parent).get("flow_collection", [])
    if deleted.status_code in (202, 204):
        assert items == []
    else:
        assert items == [{"id": member}]


@pytest.mark.behaviour("FLOW-DEL-04")
def test_concurrent_deletions_delete_a_flow_once(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    responses = run_concurrently([partial(tams.delete, f"/flows/{flow_id}") for _ in range(CLIENTS)])
    statuses = sorted(response.status_code for response in responses)
    assert statuses[0] in (202, 204)
    assert statuses[1:] == [404] * (CLIENTS - 1)


@pytest.mark.behaviour("PROF-POST-02", "PROF-IMM-01")
def test_concurrent_posts_create_a_profile_once(tams: TamsClient) -> None:
    document = profile()
    path = f"/service/profiles/{document['id']}"
    responses = run_concurrently([partial(tams.post, path, {**document, "label": str(n)}) for n in range(CLIENTS)])
    statuses = [response.status_code for response in responses]
    assert sorted(statuses) == [201, *[400] * (CLIENTS - 1)]
    assert tams.get(path).json()["label"] == str(statuses.index(201))
