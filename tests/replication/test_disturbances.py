"""Servers and networks that misbehave in the middle of a replication."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx
import pytest

from tams_server.client import ApiError, AsyncClient, Call, RetryPolicy, Unreachable
from tams_server.client.checksums import Told, told
from tams_server.client.documents import Slot
from tams_server.replication import object_copier, verification
from tests.conformance.kit.documents import flow, init_flow
from tests.replication.pair import Pair

Request = Callable[[AsyncClient, Call[Any]], Any]


def disturb(monkeypatch: pytest.MonkeyPatch, path_end: str, times: int, *, is_done: bool) -> list[str]:
    """Break the connection of the next POST requests to a path, before or after the server has acted."""
    request_once, broken = AsyncClient._request_once, list[str]()

    async def breaking(self: AsyncClient, call: Call[Any]) -> httpx.Response:
        if call.method != "POST" or not call.path.endswith(path_end) or len(broken) >= times:
            return await request_once(self, call)
        broken.append(call.path)
        if is_done:
            await request_once(self, call)
        raise Unreachable(httpx.Request("POST", call.path), httpx.ReadError("the connection broke"))

    monkeypatch.setattr(AsyncClient, "_request_once", breaking)
    return broken


@pytest.mark.parametrize("is_done", [True, False])
def test_a_registration_of_unknown_outcome_is_looked_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    document = pair.origin.put_flow(flow())
    pair.origin.ingest(document["id"], range(5))
    broken = disturb(monkeypatch, "/segments", 2, is_done=is_done)
    assert pair.run(document["id"]).problems == []
    assert len(broken) == 2
    pair.assert_same(document["id"])


def test_an_allocation_that_did_not_arrive_is_repeated(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    document = pair.origin.put_flow(flow())
    pair.origin.ingest(document["id"], range(3))
    disturb(monkeypatch, "/storage", 2, is_done=False)
    assert pair.run(document["id"]).problems == []
    pair.assert_same(document["id"])


def test_a_download_that_breaks_off_is_repeated(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    document = pair.origin.put_flow(flow())
    pair.origin.ingest(document["id"], [0], size=600_000)
    upload, broken = AsyncClient.upload, list[int]()

    async def breaking(
        self: AsyncClient, slot: Slot, content: AsyncIterator[bytes], size: int, headers: Mapping[str, str]
    ) -> httpx.Response:
        async def part() -> AsyncIterator[bytes]:
            async for chunk in content:
                yield chunk
                if not broken:
                    broken.append(len(chunk))
                    raise Unreachable(None, httpx.ReadError("the connection broke"))

        return await upload(self, slot, part(), size, headers)

    monkeypatch.setattr(AsyncClient, "upload", breaking)
    assert pair.run(document["id"]).problems == []
    assert broken
    pair.assert_same(document["id"])


@pytest.mark.parametrize("is_always", [False, True])
def test_bytes_that_arrive_damaged_are_never_stored(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, is_always: bool
) -> None:
    document = pair.origin.put_flow(flow())
    [object_id] = pair.origin.ingest(document["id"], [0])
    answers = list[Told]()

    def wrong(headers: Mapping[str, str]) -> Told:
        answers.append(told(headers))
        return Told(digests={"md5": bytes(16)}) if is_always or len(answers) == 1 else answers[-1]

    monkeypatch.setattr(object_copier, "told", wrong)
    outcome = pair.run(document["id"], retry=RetryPolicy(for_s=0.5 if is_always else 60, first_s=0.01, longest_s=0.1))
    if is_always:
        expected = f"damaged: flow {document['id']}: object {object_id} arrives damaged from FROM: the md5"
        assert [problem[: len(expected)] for problem in outcome.problems] == [expected]
        assert pair.target.segments(document["id"]) == []
    else:
        assert outcome.problems == []
        pair.assert_same(document["id"])


@pytest.mark.parametrize("is_other", [False, True])
def test_an_object_whose_upload_is_rejected_as_complete_is_read(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, is_other: bool
) -> None:
    document = pair.origin.put_flow(flow())
    [object_id] = pair.origin.ingest(document["id"], [0])

    async def complete(self: AsyncClient, slot: Slot, content: AsyncIterator[bytes], *_: object) -> httpx.Response:
        media = b"".join([chunk async for chunk in content])
        pair.target.upload({"put_url": slot["put_url"]}, b"other" if is_other else media)
        raise ApiError(httpx.Response(412, request=httpx.Request("PUT", slot["put_url"]["url"])))

    monkeypatch.setattr(AsyncClient, "upload", complete)
    outcome = pair.run(document["id"])
    assert outcome.report.objects_reread == 1
    if is_other:
        [problem] = outcome.problems
        assert problem.startswith(f"damaged: flow {document['id']}: object {object_id} has other bytes at TO: 5 with")
    else:
        assert outcome.problems == []
        pair.assert_same(document["id"])


def test_an_etag_that_is_no_md5_does_not_count_as_damage(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    document, second = pair.origin.put_flow(flow()), pair.origin.put_flow(flow())
    [object_id] = pair.origin.ingest(document["id"], [0])
    pair.origin.register(second["id"], object_id, "[0:0_1:0)")
    count = iter(range(100))

    def encrypted(headers: Mapping[str, str]) -> Told:
        return Told(told(headers).size, etag=next(count).to_bytes(16, "big"))

    for module in (object_copier, verification):
        monkeypatch.setattr(module, "told", encrypted)
    outcome = pair.run(document["id"], second["id"])
    assert outcome.problems == []
    assert outcome.report.objects_reread == 1
    assert pair.run(second["id"]).problems == []


def test_an_init_object_that_fails_is_tried_again_with_the_next_segment(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = pair.origin.put_flow(init_flow())
    init = pair.origin.store(document["id"], b"the header", content_type="video/mp4")
    for second in range(2):
        media = pair.origin.store(document["id"], b"media %d" % second)
        pair.origin.register(document["id"], media, f"[{second}:0_{second + 1}:0)", init_object_id=init)
    request_once, failed = AsyncClient._request_once, list[str]()

    async def failing(self: AsyncClient, call: Call[Any]) -> httpx.Response:
        if call.path.endswith("/storage") and not failed:
            failed.append(call.body["object_ids"][0])
            raise ApiError(httpx.Response(403, request=httpx.Request("POST", "http://to.example/storage")))
        return await request_once(self, call)

    monkeypatch.setattr(AsyncClient, "_request_once", failing)
    outcome = pair.run(document["id"], parallel=1)
    assert failed == [init]
    assert [problem.partition(":")[0] for problem in outcome.problems] == ["failed"]
    assert [each["timerange"] for each in pair.target.segments(document["id"])] == ["[1:0_2:0)"]
    assert pair.run(document["id"]).problems == []
    pair.assert_same(document["id"])
