"""Where reads run: in the event loop if they need not wait, else in a handler thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import httpx
import pytest

from handlers.shared.call import Call
from handlers.shared.paging import page_request
from storage.errors import Unavailable
from storage.waiting import (
    WouldWait,
    about_to_take_long,
    about_to_wait,
    about_to_wait_for_others,
    answer_at_once,
    must_answer_at_once,
)
from tams_server.app import create_app
from tams_server.http.serving_process import (
    CHEAP_ATTEMPT_S,
    LONG_READ_PAUSE,
    LONG_READ_S,
    LOOKUP_PLACES,
    REOPEN_PAUSE_S,
    RETRY_AT_ONCE_S,
    ServingProcess,
)
from tams_server.settings import Settings
from tams_server.wiring import Parts, prepare
from tests.conformance.kit import documents
from tests.unit.conftest import TOKEN

FLOW = "10000000-0000-4000-8000-000000000001"
SOURCE = "20000000-0000-4000-8000-000000000001"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@contextmanager
def process(*, reads_at_once: bool, clock: Callable[[], float] | None = None) -> Iterator[ServingProcess]:
    """A process over an engine of which nothing but this is known."""
    engine = SimpleNamespace(reads_at_once=reads_at_once)
    parts = SimpleNamespace(engine=engine, handler_threads=1, close=lambda: None)
    process = ServingProcess(Settings(), lambda: cast(Parts, parts), clock or Clock())
    yield process
    process.stop()


class Read:
    """A function that records the threads in which it is called. waits: whether it then waits.

    works: is called before that.
    """

    def __init__(self, *, waits: bool, works: Callable[[], object] = lambda: None) -> None:
        self.waits = waits
        self.works = works
        self.threads: list[str] = []

    def __call__(self, value: int) -> int:
        handler = threading.current_thread().name.startswith("handler")
        assert must_answer_at_once() != handler
        self.threads.append("handler" if handler else "loop")
        self.works()
        if self.waits:
            about_to_wait()
        return value


def run(process: ServingProcess, kind: str, read: Read) -> list[str]:
    """Call the function as a read of this kind, and return the threads in which it was called."""
    read.threads.clear()
    assert asyncio.run(process.read(kind, read, 7)) == 7
    assert not must_answer_at_once()
    return read.threads


def test_reads_run_in_the_event_loop_if_the_engine_answers_at_once() -> None:
    with process(reads_at_once=True) as chosen:
        assert run(chosen, "a", Read(waits=False)) == ["loop"]
    with process(reads_at_once=False) as chosen:
        assert run(chosen, "a", Read(waits=False)) == ["handler"]


def test_a_read_that_would_wait_runs_again_in_a_thread() -> None:
    with process(reads_at_once=True) as chosen:
        assert run(chosen, "a", Read(waits=True)) == ["loop", "handler"]


@pytest.mark.parametrize("waits", [False, True])
def test_long_answers_have_a_thread_of_their_own_that_does_not_wait(waits: bool) -> None:
    threads: list[str] = []

    def read() -> int:
        threads.append(threading.current_thread().name.rpartition("_")[0])
        about_to_take_long()
        if waits:
            about_to_wait()
        return 7

    with process(reads_at_once=True) as chosen:
        assert asyncio.run(chosen.read("a", read)) == 7
    assert threads[1:] == ["long-answers", "handler"][: 2 if waits else 1]


def test_reads_that_find_out_early_that_they_would_wait_do_not_hold_up_others_of_their_kind() -> None:
    with process(reads_at_once=True) as chosen:
        run(chosen, "a", Read(waits=True))
        assert run(chosen, "a", Read(waits=False)) == ["loop"]


def test_reads_of_a_kind_that_worked_in_vain_start_in_a_thread_for_a_while() -> None:
    clock = Clock()
    with process(reads_at_once=True, clock=clock) as chosen:
        run(chosen, "slow", Read(waits=True, works=lambda: clock.advance(CHEAP_ATTEMPT_S)))
        assert run(chosen, "slow", Read(waits=False)) == ["handler"]
        assert run(chosen, "fast", Read(waits=False)) == ["loop"]
        clock.advance(RETRY_AT_ONCE_S)
        assert run(chosen, "slow", Read(waits=False)) == ["loop"]


def test_reads_of_a_kind_that_held_up_the_event_loop_start_in_a_thread_for_a_while() -> None:
    clock = Clock()
    with process(reads_at_once=True, clock=clock) as chosen:
        assert run(chosen, "long", Read(waits=False, works=lambda: clock.advance(LONG_READ_S))) == ["loop"]
        assert run(chosen, "long", Read(waits=False)) == ["handler"]
        assert run(chosen, "short", Read(waits=False)) == ["loop"]
        clock.advance(LONG_READ_S * LONG_READ_PAUSE)
        assert run(chosen, "long", Read(waits=False)) == ["loop"]


def test_an_error_in_the_event_loop_is_raised_and_not_tried_again() -> None:
    calls = []

    def fail() -> None:
        calls.append(must_answer_at_once())
        raise LookupError

    with process(reads_at_once=True) as chosen, pytest.raises(LookupError):
        asyncio.run(chosen.read("a", fail))
    assert calls == [True]


def test_every_read_of_the_api_runs_in_the_event_loop_over_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only changes, long queries, playlists, timelines, and what has processes may need a thread."""
    monkeypatch.setattr("storage.tables.sqlite._AT_ONCE_S", 600)
    settings = Settings(data_dir=tmp_path, bootstrap_token=TOKEN)
    prepare(settings)
    app = create_app(settings)
    paths = {operation.path for operation in app.specification.operations if operation.method == "GET"}
    paths = {path for path in paths if not path.startswith("/analytics/")}
    paths = {path for path in paths if not path.endswith((".m3u8", ".mpd", ".jpg", "/timeline"))}
    statuses = asyncio.run(_read_all(app, paths, monkeypatch))
    assert set(statuses.values()) == {200, 404}
    assert statuses["/flows/{flowId}/segments"] == statuses["/objects/{objectId}"] == 200


def test_long_pages_need_a_thread() -> None:
    def call(limit: int) -> Call:
        return cast(Call, SimpleNamespace(query={"limit": limit}, longest_page=None))

    with answer_at_once():
        assert page_request(call(300)).limit == 300
        with pytest.raises(WouldWait):
            page_request(call(301))
    assert page_request(call(301)).limit == 301


async def _read_all(app: Any, paths: set[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return the status of a GET of each path, none of which may use a thread. Only some of the resources exist."""
    http = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://tams.test", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    flow = documents.flow(documents.VIDEO, id=FLOW, source_id=SOURCE, label="a")
    assert (await http.put(f"/flows/{FLOW}", json=flow)).status_code == 201
    allocated = (await http.post(f"/flows/{FLOW}/storage", json={"limit": 1})).json()["media_objects"][0]["object_id"]
    segment = {"object_id": allocated, "timerange": "[0:0_1:0)"}
    assert (await http.post(f"/flows/{FLOW}/segments", json=segment)).status_code == 201

    async def no_thread(*arguments: Any) -> None:
        pytest.fail(f"{arguments} ran in a thread")

    values = {"flowId": FLOW, "sourceId": SOURCE, "objectId": allocated}
    statuses = {}
    for path in paths:
        url = path
        for name in ("flowId", "sourceId", "objectId", "profileId", "webhookId", "request-id", "name"):
            url = url.replace(f"{{{name}}}", values.get(name, FLOW))
        with monkeypatch.context() as patched:
            patched.setattr(app.process, "in_thread", no_thread)
            statuses[path] = (await http.get(url)).status_code
    await http.aclose()
    app.process.stop()
    return statuses


@pytest.mark.parametrize("wait", ["transfer", "lookup"])
def test_a_wait_for_another_server_moves_to_threads_for_such_waits(wait: Literal["transfer", "lookup"]) -> None:
    threads = []

    def work() -> str:
        about_to_wait()
        threads.append(threading.current_thread().name.partition("_")[0])
        about_to_wait_for_others(wait)
        return "done"

    with process(reads_at_once=True) as serving:
        assert asyncio.run(serving.read("work", work)) == "done"
    assert threads == ["handler", wait]
    assert work() == "done", "other threads may wait"


def test_waits_for_other_servers_are_bounded() -> None:
    release = threading.Event()

    def work() -> bool:
        about_to_wait_for_others("lookup")
        return release.wait(10)

    async def run(serving: ServingProcess) -> list[object]:
        waiting = [asyncio.create_task(serving.in_thread(work)) for _ in range(LOOKUP_PLACES + 5)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
        assert await serving.in_thread(lambda: "others") == "others"
        release.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    with process(reads_at_once=False) as serving:
        results = asyncio.run(run(serving))
        assert results.count(True) == LOOKUP_PLACES
        assert [type(result) for result in results if result is not True] == [Unavailable] * 5
        assert asyncio.run(serving.in_thread(work)), "the places are free again"


def test_a_process_that_starts_during_an_outage_serves_once_it_is_over() -> None:
    clock, attempts = Clock(), 0
    parts = SimpleNamespace(engine=SimpleNamespace(reads_at_once=True), handler_threads=1, close=lambda: None)

    def open_parts() -> Parts:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise Unavailable("the disk is away")
        return cast(Parts, parts)

    process = ServingProcess(Settings(), open_parts, clock)
    process.start()
    for _ in range(3):
        with pytest.raises(Unavailable, match="the disk is away"):
            _ = process.parts
    assert attempts == 1, "attempts are a second apart"
    clock.advance(REOPEN_PAUSE_S)
    with pytest.raises(Unavailable, match="the disk is away"):
        _ = process.parts
    clock.advance(REOPEN_PAUSE_S)
    assert process.parts is cast(Parts, parts)
    process.stop()
