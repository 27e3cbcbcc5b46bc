"""F22: a replication that is killed at any point (SIGKILL) and run again: nothing is lost or there twice."""

import signal

import pytest

from tests.conformance.kit.documents import flow
from tests.replication.commands import replicate
from tests.replication.killed_command import POINTS
from tests.replication.pair import Pair

_LOSING = "after POST storage"
"""Between the response with an upload URL, which is given once, and the moment at which it is noted."""
_SEGMENTS = 5
_BYTES = 110_000


def killed(pair: Pair, point: str, number: int, flow_id: str) -> None:
    done = replicate(
        pair, "--flow", flow_id, "--parallel", "2", module=("tests.replication.killed_command", point, str(number))
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("point", [each for each in POINTS if each != _LOSING])
def test_a_run_continues_where_it_was_killed(pair: Pair, point: str) -> None:
    document = pair.origin.put_flow(flow())
    flow_id = document["id"]
    ids = pair.origin.ingest(flow_id, range(_SEGMENTS), _BYTES)
    killed(pair, point, 3 if "upload" in point else 1, flow_id)
    outcome = pair.run(flow_id, state_file=pair.folder / "tams" / "replicate.sqlite")
    assert outcome.problems == []
    assert [each["object_id"] for each in pair.target.segments(flow_id)] == ids
    pair.assert_same(flow_id)


@pytest.mark.parametrize("point", [_LOSING, "in an upload"])
def test_an_object_whose_upload_url_is_lost_waits_and_holds_nothing_else_up(pair: Pair, point: str) -> None:
    document = pair.origin.put_flow(flow())
    flow_id = document["id"]
    ids = pair.origin.ingest(flow_id, range(_SEGMENTS), _BYTES)
    killed(pair, point, 3, flow_id)
    outcome = pair.run(flow_id, state_file=pair.folder / "another.sqlite")
    waiting = [each for each in ids if any(each in problem for problem in outcome.problems)]
    assert 1 <= len(waiting) <= 2, "at most those that were under way"
    for problem in outcome.problems:
        assert problem.startswith(f"postponed: flow {flow_id}: object ")
    copied = [each["object_id"] for each in pair.target.segments(flow_id)]
    assert copied == [each for each in ids if each not in waiting]
    assert pair.target.flow(flow_id)["status"] == "replication_in_progress"
