"""F22: what a replica has, between two servers of this project."""

import uuid

import pytest

from storage.timerange import parse_timerange
from tests.conformance.kit.documents import AUDIO, MULTI, flow, init_flow
from tests.conformance.kit.ids import fresh
from tests.replication.pair import Pair


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_flow_is_the_same_in_every_member(pair: Pair, parallel: int) -> None:
    document = pair.origin.put_flow(
        flow(
            label="camera 1",
            description="the wide shot",
            tags={"site": "London", "shifts": ["early", "late"]},
            generation=1,
            max_bit_rate=6000,
            status="closed_complete",
            created_by="an ingest",
        )
    )
    flow_id = document["id"]
    [first, *_] = pair.origin.ingest(flow_id, range(12))
    part = {"ts_offset": "20:0", "sample_offset": 3, "sample_count": 20, "last_duration": "0:40000000"}
    pair.origin.register(flow_id, first, "[20:0_20:500000000)", **part)
    outcome = pair.run(flow_id, parallel=parallel)
    assert outcome.problems == []
    assert (outcome.report.segments_copied, outcome.report.objects_copied) == (13, 12)
    pair.assert_same(flow_id)
    assert pair.target.flow(flow_id)["status"] == "closed_complete"


def test_a_second_run_changes_nothing(pair: Pair) -> None:
    document = pair.origin.put_flow(flow(label="x"))
    pair.origin.ingest(document["id"], range(3))
    pair.run(document["id"])
    before = pair.target.http.get(f"/flows/{document['id']}").json()
    outcome = pair.run(document["id"])
    assert (outcome.lines, outcome.problems, outcome.report.segments_there) == ([], [], 3)
    assert pair.target.http.get(f"/flows/{document['id']}").json() == before


def test_new_segments_and_metadata_are_added_by_another_run(pair: Pair) -> None:
    document = pair.origin.put_flow(flow(label="before", tags={"a": "1"}))
    pair.origin.ingest(document["id"], [0, 1, 4])
    pair.run(document["id"])
    pair.origin.put_flow(document | {"label": "after", "tags": {"b": "2"}})
    pair.origin.ingest(document["id"], [2, 3, 5])
    outcome = pair.run(document["id"])
    assert outcome.report.segments_copied == 3
    pair.assert_same(document["id"])


def test_a_source_brings_its_flows_and_what_it_collects(pair: Pair) -> None:
    video, audio, other = pair.origin.put_flow(flow()), pair.origin.put_flow(flow(AUDIO)), pair.origin.put_flow(flow())
    proxy = pair.origin.put_flow(flow(source_id=video["source_id"]))
    members = [{"id": audio["id"], "role": "sound"}, {"id": video["id"], "role": "picture"}]
    multi = pair.origin.put_flow(flow(MULTI, flow_collection=members))
    for each in (video, audio):
        pair.origin.ingest(each["id"], range(2))
    source = f"/sources/{multi['source_id']}"
    pair.origin.http.put(f"{source}/label", json="programme").raise_for_status()
    pair.origin.http.put(f"{source}/description", json="of the evening").raise_for_status()
    pair.origin.http.put(f"{source}/tags/genre", json=["news", "sport"]).raise_for_status()
    outcome = pair.run(source_ids=(multi["source_id"],))
    assert outcome.problems == []
    for each in (video, audio, proxy, multi):
        pair.assert_same(each["id"])
        assert pair.target.source(each["source_id"]) == pair.origin.source(each["source_id"])
    assert pair.target.http.get(f"/flows/{other['id']}").status_code == 404
    pair.origin.http.delete(f"{source}/tags/genre").raise_for_status()
    pair.origin.http.delete(f"{source}/description").raise_for_status()
    pair.run(source_ids=(multi["source_id"],))
    assert pair.target.source(multi["source_id"]) == pair.origin.source(multi["source_id"])


def test_collections_that_collect_each_other_end_up_complete(pair: Pair) -> None:
    one, two = pair.origin.put_flow(flow(MULTI)), pair.origin.put_flow(flow(MULTI))
    pair.origin.put_flow(one | {"flow_collection": [{"id": two["id"]}]})
    pair.origin.put_flow(two | {"flow_collection": [{"id": one["id"]}]})
    pair.run(one["id"])
    assert pair.run(one["id"]).problems == []
    for each in (one, two):
        pair.assert_same(each["id"])


def test_profiles_come_along(pair: Pair) -> None:
    profile = {"id": fresh(), "label": "HD", "flow_metadata": {n: v for n, v in flow().items() if "id" not in n}}
    pair.origin.http.post(f"/service/profiles/{profile['id']}", json=profile).raise_for_status()
    document = pair.origin.put_flow({"id": fresh(), "source_id": fresh(), "profile_id": profile["id"]})
    assert pair.run(document["id"]).problems == []
    assert pair.target.flow(document["id"]) == pair.origin.flow(document["id"])
    assert pair.target.flow(document["id"])["profile_id"] == profile["id"]


def test_init_objects_come_first_and_once(pair: Pair) -> None:
    document = pair.origin.put_flow(init_flow())
    flow_id = document["id"]
    init = pair.origin.store(flow_id, b"the header", content_type="video/mp4")
    for second in range(5):
        media = pair.origin.store(flow_id, b"media %d" % second)
        pair.origin.register(flow_id, media, f"[{second}:0_{second + 1}:0)", init_object_id=init)
    outcome = pair.run(flow_id)
    assert outcome.problems == []
    assert outcome.report.objects_copied == 6
    pair.assert_same(flow_id)


def test_uncontrolled_objects_are_registered_by_their_urls(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    urls = [{"url": "https://elsewhere.example/o", "label": "elsewhere"}]
    pair.origin.register(document["id"], object_id := f"o/{fresh()}", "[0:0_1:0)", get_urls=urls)
    outcome = pair.run(document["id"])
    assert (outcome.problems, outcome.report.objects_referenced, outcome.report.bytes_copied) == ([], 1, 0)
    path = f"/objects/{object_id.replace('/', '%2F')}"
    assert pair.target.http.get(path).json()["get_urls"] == pair.origin.http.get(path).json()["get_urls"]


def test_objects_that_the_target_has_are_not_copied(pair: Pair) -> None:
    first, second = pair.origin.put_flow(flow()), pair.origin.put_flow(flow())
    ids = pair.origin.ingest(first["id"], range(3))
    for place, object_id in enumerate(ids):
        pair.origin.register(second["id"], object_id, f"[1{place}:0_1{place + 1}:0)", ts_offset="10:0")
    pair.run(first["id"])
    outcome = pair.run(second["id"])
    assert (outcome.report.objects_copied, outcome.report.bytes_copied, outcome.report.segments_copied) == (0, 0, 3)
    pair.assert_same(second["id"])


def test_only_a_timerange_is_copied(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    pair.origin.ingest(document["id"], range(6))
    pair.run(document["id"], timerange=parse_timerange("[2:0_4:0)"))
    assert [each["timerange"] for each in pair.target.segments(document["id"])] == ["[2:0_3:0)", "[3:0_4:0)"]


def test_a_read_only_flow_is_read_only_in_the_end_and_can_be_continued(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    flow_id = document["id"]
    pair.origin.ingest(flow_id, range(2))
    pair.origin.http.put(f"/flows/{flow_id}/read_only", json=True).raise_for_status()
    assert pair.run(flow_id).problems == []
    pair.assert_same(flow_id)
    pair.origin.http.put(f"/flows/{flow_id}/read_only", json=False).raise_for_status()
    pair.origin.ingest(flow_id, [2])
    assert pair.run(flow_id).problems == []
    pair.assert_same(flow_id)


def test_a_flow_that_someone_has_locked_at_the_target_is_a_conflict(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    flow_id = document["id"]
    pair.origin.ingest(flow_id, [0])
    pair.run(flow_id)
    pair.target.http.put(f"/flows/{flow_id}/read_only", json=True).raise_for_status()
    pair.origin.ingest(flow_id, [1])
    [problem] = pair.run(flow_id).problems
    assert problem.startswith(f"conflict: flow {flow_id}: it is read_only at TO")
    assert len(pair.target.segments(flow_id)) == 1


def test_other_content_at_the_same_time_is_a_conflict_and_the_rest_is_copied(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    flow_id = document["id"]
    ours = pair.origin.ingest(flow_id, range(3))
    pair.target.put_flow(document)
    [theirs] = pair.target.ingest(flow_id, [1])
    outcome = pair.run(flow_id)
    expected = f"TO has {theirs} at [1:0_2:0), where FROM has {ours[1]} at [1:0_2:0)"
    assert outcome.problems == [f"conflict: flow {flow_id}: {expected}"]
    assert [each["object_id"] for each in pair.target.segments(flow_id)] == [ours[0], theirs, ours[2]]
    assert pair.target.flow(flow_id)["status"] == "replication_in_progress"


@pytest.mark.parametrize("other", [{"source_id": str(uuid.UUID(int=0x1234 << 64 | 4 << 76 | 8 << 60))}, None])
def test_another_flow_with_the_same_id_is_a_conflict(pair: Pair, other: dict[str, str] | None) -> None:
    document = pair.origin.put_flow(flow())
    theirs = flow(AUDIO, id=document["id"], source_id=fresh()) if other is None else document | {"source_id": fresh()}
    pair.target.put_flow(theirs)
    before = pair.target.flow(document["id"])
    [problem] = pair.run(document["id"]).problems
    assert problem.startswith(f"conflict: flow {document['id']}: another flow has this id: its source_id is")
    assert pair.target.flow(document["id"]) == before


def test_another_object_with_the_same_id_is_a_conflict(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    [object_id] = pair.origin.ingest(document["id"], [0], size=1000)
    elsewhere = pair.target.put_flow(flow())
    pair.target.store(elsewhere["id"], b"other bytes", object_id)
    pair.target.register(elsewhere["id"], object_id, "[0:0_1:0)")
    [problem] = pair.run(document["id"]).problems
    assert f"TO has another object {object_id}: 11 bytes, not 1,000" in problem
    assert pair.target.segments(document["id"]) == []


def test_bytes_are_read_again_on_request(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    pair.origin.ingest(document["id"], range(4))
    assert pair.run(document["id"], verify=1.0).report.objects_reread == 4
    assert pair.run(document["id"], verify=1.0).report.objects_reread == 4
    assert pair.run(document["id"]).report.objects_reread == 0


def test_a_dry_run_says_what_it_would_do_and_does_nothing(pair: Pair) -> None:
    document = pair.origin.put_flow(flow(label="x"))
    pair.origin.ingest(document["id"], range(3))
    outcome = pair.run(document["id"], dry_run=True)
    assert outcome.lines == [
        f'would create flow {document["id"]} "x"',
        f"would copy 3 segments of flow {document['id']}",
    ]
    assert pair.target.http.get(f"/flows/{document['id']}").status_code == 404
    assert not (pair.folder / "state.sqlite").exists()


def test_what_does_not_exist_is_a_problem(pair: Pair) -> None:
    flow_id, source_id = fresh(), fresh()
    assert pair.run(flow_id, source_ids=(source_id,)).problems == [
        f"failed: flow {flow_id}: FROM does not have it, or does not show it",
        f"failed: source {source_id}: FROM does not have it, or does not show it",
    ]


def test_a_flow_goes_there_and_back(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    pair.origin.ingest(document["id"], range(2))
    pair.run(document["id"])
    pair.target.ingest(document["id"], [2])
    assert pair.reversed().run(document["id"]).problems == []
    pair.assert_same(document["id"])


def test_the_rate_is_limited(pair: Pair) -> None:
    import time

    document = pair.origin.put_flow(flow())
    pair.origin.ingest(document["id"], range(3), size=100_000)
    began = time.monotonic()
    pair.run(document["id"], rate=300_000)
    assert time.monotonic() - began >= 0.75  # a second, less what may be ahead of the rate
