"""F22: replications that follow: a live ingest, changes of metadata, deletions, events, outages."""

import asyncio
import threading

import httpx
import pytest

from tams_server.client import AsyncClient, Unreachable
from tams_server.replication import flow_set, replicator
from tams_server.replication.report import Report
from tams_server.replication.run import replicate
from tests.conformance.kit.documents import flow
from tests.replication.pair import Pair, following, until

_SEGMENTS = 20


def has(pair: Pair, flow_id: str, count: int) -> bool:
    return len(pair.target.segments(flow_id)) == count


def test_a_live_ingest_is_copied_while_it_runs(pair: Pair) -> None:
    document = pair.origin.put_flow(flow(status="ingesting"))
    flow_id = document["id"]
    order = [n for n in range(_SEGMENTS) if n != 7]
    ingest = threading.Thread(target=lambda: pair.origin.ingest(flow_id, order))
    with following(pair.plan(flow_id, follow=True, interval_s=0.1)) as outcome:
        ingest.start()
        until(lambda: outcome.report.segments_copied > 0, "the first segments")
        ingest.join()
        until(lambda: has(pair, flow_id, _SEGMENTS - 1), "all segments")
        assert pair.target.flow(flow_id)["status"] == "replication_in_progress"
        pair.origin.put_flow(document | {"status": "closed_complete", "label": "the end"})
        until(lambda: pair.target.flow(flow_id) == pair.origin.flow(flow_id), "the end of the ingest")
    assert outcome.problems == []
    pair.assert_same(flow_id)


def test_a_flow_that_is_live_waits_for_content_when_nobody_follows(pair: Pair) -> None:
    document = pair.origin.put_flow(flow(status="ingesting"))
    pair.origin.ingest(document["id"], range(2))
    with following(pair.plan(document["id"], follow=True, interval_s=0.1)):
        until(lambda: has(pair, document["id"], 2), "the segments")
        until(lambda: pair.target.flow(document["id"])["status"] == "replication_in_progress", "the status")
    assert pair.target.flow(document["id"])["status"] == "awaiting_content"
    pair.assert_same_segments(document["id"])


def test_metadata_and_new_flows_of_a_source_are_followed(pair: Pair) -> None:
    document = pair.origin.put_flow(flow(label="before"))
    source_id = document["source_id"]
    with following(pair.plan(source_ids=(source_id,), follow=True, interval_s=0.1)) as outcome:
        until(lambda: "created" in "".join(outcome.lines), "the flow")
        pair.origin.put_flow(document | {"label": "after", "tags": {"a": "b"}})
        pair.origin.http.put(f"/sources/{source_id}/label", json="a source").raise_for_status()
        second = pair.origin.put_flow(flow(source_id=source_id))
        pair.origin.ingest(second["id"], range(2))
        until(lambda: outcome.report.segments_copied == 2, "the segments of the new flow")
        until(lambda: pair.target.source(source_id).get("label") == "a source", "the label of the source")
        until(lambda: pair.target.flow(document["id"])["label"] == "after", "the label of the flow")
        new = second["id"]
        until(lambda: pair.target.flow(new) == pair.origin.flow(new), "the metadata of the new flow, which come last")
    pair.assert_same(second["id"])


def test_deletions_are_followed_on_request_only(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    flow_id = document["id"]
    ids = pair.origin.ingest(flow_id, range(6))
    pair.run(flow_id)
    pair.origin.http.delete(f"/flows/{flow_id}/segments", params={"timerange": "[1:0_3:0)"}).raise_for_status()
    [replaced] = pair.origin.ingest(flow_id, [1])
    [problem] = pair.run(flow_id).problems
    assert f"TO has {ids[1]} at [1:0_2:0), where FROM has {replaced}" in problem
    assert len(pair.target.segments(flow_id)) == 6
    with following(pair.plan(flow_id, follow=True, delete=True, interval_s=0.1)) as outcome:
        until(lambda: pair.target.segments(flow_id) == pair.origin.segments(flow_id), "the deletion")
        pair.origin.http.delete(f"/flows/{flow_id}").raise_for_status()
        until(lambda: pair.target.http.get(f"/flows/{flow_id}").status_code == 404, "the deletion of the flow")
    assert outcome.report.segments_deleted == 2


def test_a_run_that_ends_before_its_first_pass_does_not_report_that_all_is_there(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    stop = asyncio.Event()
    stop.set()
    assert not asyncio.run(replicate(pair.plan(document["id"], follow=True), Report(), stop))
    assert pair.target.http.get(f"/flows/{document['id']}").status_code == 404


def test_a_flow_that_is_deleted_is_kept_otherwise(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    flow_id = document["id"]
    pair.origin.ingest(flow_id, [0])
    with following(pair.plan(flow_id, follow=True, interval_s=0.1)) as outcome:
        until(lambda: has(pair, flow_id, 1), "the segment")
        pair.origin.http.delete(f"/flows/{flow_id}").raise_for_status()
        until(lambda: f"flow {flow_id} is deleted at FROM, and kept at TO" in outcome.lines, "the notice")
    assert len(pair.target.segments(flow_id)) == 1


def test_an_outage_is_reported_and_ends_by_itself(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    document = pair.origin.put_flow(flow())
    find, left = flow_set.find_flows, [1, 2]

    async def failing(client: AsyncClient, *ids: object) -> object:
        if left:
            left.pop()
            raise Unreachable(None, httpx.ConnectError("the network is down"))
        return await find(client, *ids)  # type: ignore[arg-type]

    monkeypatch.setattr(replicator, "find_flows", failing)
    with following(pair.plan(document["id"], follow=True, interval_s=0.1)) as outcome:
        until(lambda: outcome.report.flows_written > 0, "the flow")
    assert outcome.problems == ["failed: this pass: the network is down"]
