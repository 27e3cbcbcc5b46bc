"""F14, F22: tags of segments at the other server, be it that it knows none."""

from typing import Any

import httpx
import pytest

from tams_server.client import AsyncClient, Call
from tams_server.client.errors import api_error
from tests.conformance.kit.client import path_segment
from tests.conformance.kit.documents import Json, flow
from tests.replication.pair import Pair, Tams

LEFT_OUT = "TO does not take tags of segments, which are left out"


def _tagged(pair: Pair) -> str:
    """A flow at FROM whose segments have tags, but for one. Returns its id."""
    document = pair.origin.put_flow(flow(label="x"))
    for number in range(4):
        tags = {"tags": {"shot": ["wide", str(number)], "place": "a/b"}} if number else {}
        object_id = pair.origin.store(document["id"], bytes(100))
        pair.origin.register(document["id"], object_id, f"[{number}:0_{number + 1}:0)", **tags)
    return str(document["id"])


def _tag(tams: Tams, flow_id: str, second: int, name: str) -> str:
    timerange = path_segment(f"[{second}:0_{second + 1}:0)")
    return f"/flows/{flow_id}/segments/{timerange}/tags/{path_segment(name)}"


def _without_tags(segments: list[Json]) -> list[Json]:
    return [{name: value for name, value in each.items() if name != "tags"} for each in segments]


def _ignorant(monkeypatch: pytest.MonkeyPatch, *, rejects: bool) -> None:
    """Have TO know no tags of segments: it rejects segments with them, or ignores them."""
    request_once = AsyncClient._request_once

    async def request(self: AsyncClient, call: Call[Any]) -> httpx.Response:
        if "/tags/" in call.path and "/segments/" in call.path:
            raise api_error(httpx.Response(404, request=httpx.Request(call.method, self.url + call.path)))
        if call.method == "POST" and call.path.endswith("/segments") and any("tags" in each for each in call.body):
            if rejects:
                raise api_error(httpx.Response(400, request=httpx.Request("POST", self.url + call.path)))
            for each in call.body:
                each.pop("tags", None)
        return await request_once(self, call)

    monkeypatch.setattr(AsyncClient, "_request_once", request)


def test_tags_are_copied_with_their_segments_and_when_they_change(pair: Pair) -> None:
    flow_id = _tagged(pair)
    assert pair.run(flow_id).problems == []
    pair.assert_same(flow_id)
    pair.origin.http.put(_tag(pair.origin, flow_id, 0, "new"), json=[]).raise_for_status()
    pair.origin.http.put(_tag(pair.origin, flow_id, 1, "place"), json="c").raise_for_status()
    outcome = pair.run(flow_id)
    assert (outcome.problems, outcome.report.segments_copied) == ([], 0)
    pair.assert_same(flow_id)
    assert pair.run(flow_id).lines == []


def test_tags_that_only_the_replica_has_are_removed_if_deletions_are_repeated(pair: Pair) -> None:
    flow_id = _tagged(pair)
    pair.run(flow_id)
    pair.origin.http.delete(_tag(pair.origin, flow_id, 2, "place")).raise_for_status()
    pair.target.http.put(_tag(pair.target, flow_id, 0, "own"), json="x").raise_for_status()
    pair.run(flow_id)
    assert "own" in pair.target.segments(flow_id)[0]["tags"]
    pair.run(flow_id, delete=True)
    pair.assert_same(flow_id)


def test_tags_of_a_read_only_replica_are_copied(pair: Pair) -> None:
    flow_id = _tagged(pair)
    pair.origin.http.put(f"/flows/{flow_id}/read_only", json=True).raise_for_status()
    pair.run(flow_id)
    pair.origin.http.put(f"/flows/{flow_id}/read_only", json=False).raise_for_status()
    pair.origin.http.put(_tag(pair.origin, flow_id, 0, "new"), json="y").raise_for_status()
    pair.origin.http.put(f"/flows/{flow_id}/read_only", json=True).raise_for_status()
    assert pair.run(flow_id).problems == []
    pair.assert_same(flow_id)


@pytest.mark.parametrize("rejects", [True, False])
def test_a_server_without_tags_of_segments_gets_the_segments(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, rejects: bool
) -> None:
    flow_id = _tagged(pair)
    _ignorant(monkeypatch, rejects=rejects)
    first = pair.run(flow_id)
    assert (first.problems, first.report.segments_copied) == ([], 4)
    second = pair.run(flow_id)
    assert (second.problems, second.report.segments_copied, second.lines) == ([], 0, [LEFT_OUT])
    assert pair.target.segments(flow_id) == _without_tags(pair.origin.segments(flow_id))
