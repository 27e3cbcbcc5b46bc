"""Two TAMS servers with content in one, and replications between them."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tams_server.client import RetryPolicy, Token
from tams_server.replication.options import Options
from tams_server.replication.report import Report
from tams_server.replication.run import Events, Plan, Server, replicate
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.polling import wait_until

RETRY = RetryPolicy(for_s=60, first_s=0.05, longest_s=0.5)
_MANAGED = ("created", "metadata_updated", "segments_updated")
_LISTED = {"limit": "1000", "include_object_timerange": "true"}


class Tams:
    """One of the servers. http: a client with all rights."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30, verify=False)
        self._media = httpx.Client(timeout=30, verify=False)

    def put_flow(self, document: Json) -> Json:
        self.http.put(f"/flows/{document['id']}", json=document).raise_for_status()
        return document

    def allocate(self, flow_id: str, object_id: str | None = None, **members: Any) -> Json:
        body = {"limit": 1} if object_id is None else {"object_ids": [object_id]}
        response = self.http.post(f"/flows/{flow_id}/storage", json=body | members).raise_for_status()
        slot: Json = response.json()["media_objects"][0]
        return slot

    def upload(self, slot: Json, media: bytes | Iterator[bytes]) -> None:
        put_url = slot["put_url"]
        headers = {"Content-Type": put_url["content-type"]}
        self._media.put(put_url["url"], content=media, headers=headers).raise_for_status()

    def store(self, flow_id: str, media: bytes, object_id: str | None = None, **members: Any) -> str:
        """Upload an object without registering it. Returns its id."""
        slot = self.allocate(flow_id, object_id, **members)
        self.upload(slot, media)
        return str(slot["object_id"])

    def register(self, flow_id: str, object_id: str, timerange: str, **members: Any) -> None:
        body = {"object_id": object_id, "timerange": timerange, **members}
        self.http.post(f"/flows/{flow_id}/segments", json=body).raise_for_status()

    def ingest(self, flow_id: str, seconds: Sequence[int], size: int = 1000) -> list[str]:
        """Add a segment of a second with random bytes for each start. Returns the ids of the objects."""
        ids = []
        for second in seconds:
            ids.append(self.store(flow_id, os.urandom(size)))
            self.register(flow_id, ids[-1], f"[{second}:0_{second + 1}:0)", key_frame_count=1)
        return ids

    def flow(self, flow_id: str) -> Json:
        """The flow, without what each server manages for itself."""
        document = self.http.get(f"/flows/{flow_id}").raise_for_status().json()
        return {name: value for name, value in document.items() if name not in _MANAGED}

    def source(self, source_id: str) -> Json:
        document = self.http.get(f"/sources/{source_id}").raise_for_status().json()
        return {name: value for name, value in document.items() if name not in ("created", "updated")}

    def segments(self, flow_id: str) -> list[Json]:
        """All segments of a flow, without their URLs."""
        response = self.http.get(f"/flows/{flow_id}/segments", params=_LISTED).raise_for_status()
        found: list[Json] = response.json()
        for segment in found:
            segment.pop("get_urls", None)
            segment.get("init_object", {}).pop("get_urls", None)
        return found

    def media(self, object_id: str) -> bytes:
        urls = self.http.get(f"/objects/{object_id}").raise_for_status().json()["get_urls"]
        return self._media.get(urls[0]["url"]).raise_for_status().content


@dataclass(slots=True)
class Outcome:
    """The report of a run, and what it said."""

    report: Report
    problems: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pair:
    """The servers, and a folder for state files."""

    origin: Tams
    target: Tams
    folder: Path

    def plan(self, *flow_ids: str, **members: Any) -> Plan:
        """A plan for a run. members: of Plan, or of Options."""
        own = {name: members.pop(name) for name in list(members) if name in Plan.__dataclass_fields__}
        return Plan(
            Server(self.origin.url, Token(self.origin.token)),
            Server(self.target.url, Token(self.target.token)),
            Options(flow_ids, **members),
            **{"state_file": self.folder / "state.sqlite", "retry": RETRY, **own},
        )

    def run(self, *flow_ids: str, **members: Any) -> Outcome:
        """Run a replication to its end."""
        return run(self.plan(*flow_ids, **members))

    def reversed(self) -> "Pair":
        return Pair(self.target, self.origin, self.folder)

    def assert_same(self, flow_id: str) -> None:
        """Both have the same flow: metadata, segments, and bytes of every object."""
        assert self.target.flow(flow_id) == self.origin.flow(flow_id)
        self.assert_same_segments(flow_id)

    def assert_same_segments(self, flow_id: str) -> None:
        segments = self.origin.segments(flow_id)
        assert self.target.segments(flow_id) == segments
        objects = {segment["object_id"] for segment in segments}
        objects |= {segment["init_object"]["object_id"] for segment in segments if "init_object" in segment}
        for object_id in objects:
            assert self.target.media(object_id) == self.origin.media(object_id)


def until(look: Callable[[], object], what: str) -> None:
    """Wait for something that takes a moment, and a minute on a busy machine."""
    wait_until(look, what, 60)


def run(plan: Plan, stop: asyncio.Event | None = None) -> Outcome:
    """Run a plan that ends by itself."""
    outcome = Outcome(Report())
    outcome.report.tell_problem = outcome.problems.append
    outcome.report.say = outcome.lines.append

    async def main() -> None:
        await replicate(plan, outcome.report, stop or asyncio.Event())

    asyncio.run(main())
    return outcome


@contextmanager
def following(plan: Plan) -> Iterator[Outcome]:
    """Run a plan that follows during the block. Its errors are raised at the end."""
    import threading

    outcome = Outcome(Report())
    outcome.report.tell_problem = outcome.problems.append
    outcome.report.say = outcome.lines.append
    stop, loops = asyncio.Event(), list[asyncio.AbstractEventLoop]()
    failures: list[BaseException] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await replicate(plan, outcome.report, stop)

    def work() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield outcome
    finally:
        if thread.is_alive():
            loops[0].call_soon_threadsafe(stop.set)
        thread.join(30)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


def events_at(port: int) -> Events:
    """Events of FROM, on a port of this machine."""
    return Events(f"http://127.0.0.1:{port}/{fresh()}", "127.0.0.1", port)
