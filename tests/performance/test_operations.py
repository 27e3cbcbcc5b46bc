"""The main operations: how long they take, how that grows with a flow, and how fast segments are registered.

Ratios of two times of one run are limited everywhere, absolute times only in a measurement (TEST_FULL=1, P95_MS).
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.ids import fresh
from tests.performance.timing import FULL, P95_MS, Table, Times, measure

ROUNDS = 200 if FULL else 15
LONG = 100_000 if FULL else 2_000
SHORT = 200
BATCH = 1_000
MEDIA = b"x" * 2**20

pytestmark = pytest.mark.timeout(1800 if FULL else 120)


def segments(start: int, count: int) -> list[Json]:
    """Segments of a second each, with objects that are elsewhere."""
    prefix = fresh()
    return [
        {
            "object_id": f"{prefix}-{number}",
            "timerange": f"[{number}:0_{number + 1}:0)",
            "get_urls": [{"url": f"https://media.example.com/{prefix}/{number}", "label": "elsewhere"}],
        }
        for number in range(start, start + count)
    ]


def expect(response: httpx.Response, status: int) -> httpx.Response:
    assert response.status_code == status, response.text
    return response


class Flows:
    """Makes flows, and deletes them at the end."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._made: list[str] = []

    def make(self, length: int = 0) -> str:
        """Return the path of a flow with so many segments."""
        document = flow()
        path = f"/flows/{document['id']}"
        expect(self._client.put(path, json=document), 201)
        self._made.append(path)
        for start in range(0, length, BATCH):
            self.register(path, segments(start, min(BATCH, length - start)))
        return path

    def register(self, path: str, items: list[Json]) -> None:
        expect(self._client.post(f"{path}/segments", json=items if len(items) > 1 else items[0]), 201)

    def delete_all(self) -> None:
        for path in self._made:
            self._client.delete(path)


@pytest.fixture(scope="module")
def flows(client: httpx.Client) -> Iterator[Flows]:
    flows = Flows(client)
    yield flows
    flows.delete_all()


def reading(client: httpx.Client, path: str, **query: Any) -> Callable[[], object]:
    return lambda: expect(client.get(path, params=query), 200)


def assert_ratio(one: Times, other: Times, most: float, what: str) -> None:
    """Compare medians, which a busy machine moves least."""
    assert one.p50 <= most * other.p50, f"{what}: {one.p50:.2f} ms are more than {most} times {other.p50:.2f} ms"


def assert_within_limit(times: dict[str, Times]) -> None:
    assert {name: each.p95 for name, each in times.items() if each.p95 > P95_MS} == {}


def test_a_page_costs_the_same_in_a_flow_of_any_length(client: httpx.Client, flows: Flows, table: Table) -> None:
    short, long = (f"{flows.make(length)}/segments" for length in (SHORT, LONG))
    middle = f"[{LONG // 2}:0_{LONG // 2 + 100}:0)"
    pages = {
        f"first page, {SHORT} segments": reading(client, short, limit=100),
        f"first page, {LONG} segments": reading(client, long, limit=100),
        f"last page, {LONG} segments": reading(client, long, limit=100, reverse_order="true"),
        f"page in the middle, {LONG} segments": reading(client, long, limit=100, timerange=middle),
    }
    times = measure(pages, ROUNDS, table)
    baseline, *others = times.values()
    for other in others:
        assert_ratio(other, baseline, 2, "a page of a long flow against one of a short flow")
    assert_within_limit(times)


def test_single_reads_and_listings_are_quick(client: httpx.Client, flows: Flows, table: Table) -> None:
    path = flows.make(SHORT)
    [item] = client.get(f"{path}/segments", params={"limit": 1}).json()
    operations = {
        "GET /service": reading(client, "/service"),
        "GET a flow": reading(client, path),
        "GET its tags": reading(client, f"{path}/tags"),
        "GET an object": reading(client, f"/objects/{item['object_id']}"),
        "GET /flows, 10 of them": reading(client, "/flows", limit=10),
        "GET /sources, 10 of them": reading(client, "/sources", limit=10),
    }
    times = measure(operations, ROUNDS, table)
    baseline, *others = times.values()
    for other in others:
        assert_ratio(other, baseline, 8, "a read against GET /service")
    assert_within_limit(times)


def test_changes_are_quick(client: httpx.Client, flows: Flows, table: Table) -> None:
    path = flows.make()
    document = client.get(path).json()
    operations = {
        "PUT a label": lambda: expect(client.put(f"{path}/label", json="a label"), 204),
        "PUT a tag": lambda: expect(client.put(f"{path}/tags/a", json="b"), 204),
        "PUT a flow": lambda: expect(client.put(path, json=document), 204),
        "allocate an object": lambda: expect(client.post(f"{path}/storage", json={"limit": 1}), 201),
    }
    times = measure(operations, ROUNDS, table)
    assert_ratio(times["PUT a flow"], times["PUT a label"], 5, "PUT of a flow against PUT of its label")
    assert_within_limit(times)


def test_segments_in_batches_are_registered_many_times_faster(flows: Flows, table: Table) -> None:
    one, many = flows.make(), flows.make()
    numbers = {one: 0, many: 0}

    def registering(path: str, count: int) -> Callable[[], None]:
        def run() -> None:
            flows.register(path, segments(numbers[path], count))
            numbers[path] += count

        return run

    rounds = 50 if FULL else 5
    operations = {"register a segment": registering(one, 1), f"register {BATCH} segments": registering(many, BATCH)}
    alone, batch = measure(operations, rounds, table).values()
    table.say(f"{1000 / alone.p50:,.0f} segments a second one by one, {BATCH * 1000 / batch.p50:,.0f} in batches")
    assert batch.p50 / BATCH <= alone.p50 / 5, f"{batch.p50:.1f} ms for {BATCH} segments, {alone.p50:.1f} ms for one"


def test_an_upload_in_one_request_is_as_fast_as_in_three(
    client: httpx.Client, flows: Flows, table: Table, request: pytest.FixtureRequest
) -> None:
    """F7. Only on this project's server, as it is an extension."""
    if request.config.getoption("--tams-url"):
        pytest.skip("an extension of this project's server")
    first, second = flows.make(), flows.make()
    numbers = {first: 0, second: 0}

    def span(path: str) -> str:
        numbers[path] += 1
        return f"[{numbers[path]}:0_{numbers[path] + 1}:0)"

    def in_one() -> None:
        parts: Any = [
            ("segment", (None, f'{{"timerange": "{span(first)}"}}', "application/json")),
            ("file", ("clip.ts", MEDIA, "video/mp2t")),
        ]
        expect(client.post(f"{first}/segments", files=parts), 201)

    def in_three() -> None:
        [item] = expect(client.post(f"{second}/storage", json={"limit": 1}), 201).json()["media_objects"]
        url, headers = item["put_url"]["url"], {"Content-Type": item["put_url"]["content-type"]}
        expect(client.put(url, content=MEDIA, headers=headers), 200)
        segment = {"object_id": item["object_id"], "timerange": span(second)}
        expect(client.post(f"{second}/segments", json=segment), 201)

    times = measure({"upload 1 MiB in one request": in_one, "upload 1 MiB in three": in_three}, ROUNDS, table)
    one, three = times.values()
    table.say(f"an upload in one request takes {one.p50 / three.p50:.2f} times as long as in three")
    assert_ratio(one, three, 1.5, "an upload in one request against three")
