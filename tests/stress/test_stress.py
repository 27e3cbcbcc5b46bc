"""Nothing is lost, doubled or half-written when many clients write at once, and nothing fails but with 503.

TEST_FULL=1 (`make test-stress`) has more clients, and works longer.
"""

import hashlib
import os
import random
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pytest

from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.server import Subject
from tests.stress.clients import BusyClient, run_at_once

FULL: Final = os.environ.get("TEST_FULL") == "1"
CLIENTS: Final = 32 if FULL else 6
SECONDS: Final = 120 if FULL else 4
BATCH: Final = 5_000 if FULL else 300
LONG: Final = 500_000 if FULL else 3_000

pytestmark = pytest.mark.timeout(3600 if FULL else 120)


@pytest.fixture
def keeper(subject: Subject) -> Iterator[BusyClient]:
    """A client for what comes before and after the stress."""
    client = BusyClient(subject)
    yield client
    client.close()


def make_flow(client: BusyClient) -> str:
    document = flow()
    client.expect(201, "PUT", f"/flows/{document['id']}", json=document)
    return f"/flows/{document['id']}"


def segment(name: str, number: int) -> Json:
    urls = [{"url": f"https://media.example.com/{name}/{number}", "label": "elsewhere"}]
    return {"object_id": f"{name}-{number}", "timerange": f"[{number}:0_{number + 1}:0)", "get_urls": urls}


def objects_of(client: BusyClient, path: str) -> list[str]:
    """The objects of a flow's segments, whose timeranges must not overlap."""
    items = client.pages(f"{path}/segments")
    starts = [int(item["timerange"].strip("[").partition(":")[0]) for item in items]
    assert starts == sorted(set(starts)), f"{path}: segments are doubled or out of order"
    return [item["object_id"] for item in items]


def test_large_batches_of_many_clients_are_all_there(subject: Subject, keeper: BusyClient) -> None:
    """Each client fills a flow of its own, deletes parts of it, and keeps a book."""
    books: dict[str, set[str]] = {}
    ends = time.monotonic() + SECONDS

    def ingest(client: BusyClient, seed: int) -> None:
        random_ = random.Random(seed)
        path = make_flow(client)
        name, book, number = path.rpartition("/")[2], books.setdefault(path, set()), 0
        while time.monotonic() < ends or not number:
            items = [segment(name, each) for each in range(number, number + BATCH)]
            client.expect(201, "POST", f"{path}/segments", json=items)
            book |= {item["object_id"] for item in items}
            number += BATCH
            start = random_.randrange(number - 20)
            timerange = f"[{start}:0_{start + 20}:0)"
            assert client.send("DELETE", f"{path}/segments", params={"timerange": timerange}).status_code in (202, 204)
            book -= {f"{name}-{each}" for each in range(start, start + 20)}

    run_at_once(subject, [partial(ingest, seed=seed) for seed in range(CLIENTS)])
    assert len(books) == CLIENTS
    for path, book in books.items():
        assert set(objects_of(keeper, path)) == book
        keeper.send("DELETE", path)


def test_of_writers_of_the_same_time_one_wins_each(subject: Subject, keeper: BusyClient) -> None:
    """All clients register segments of the same flow and the same times."""
    path = make_flow(keeper)
    won: list[set[str]] = []
    ends = time.monotonic() + SECONDS

    def race(client: BusyClient, seed: int) -> None:
        mine: set[str] = set()
        won.append(mine)
        number = 0
        while time.monotonic() < ends or not number:
            items = [segment(f"{path[7:]}-{seed}", each) for each in range(number, number + 10)]
            random.Random(seed + number).shuffle(items)
            response = client.send("POST", f"{path}/segments", json=items)
            assert response.status_code in (200, 201), response.text[:300]
            failed = response.json()["failed_segments"] if response.status_code == 200 else []
            mine |= {item["object_id"] for item in items} - {item["object_id"] for item in failed}
            number += 10

    run_at_once(subject, [partial(race, seed=seed) for seed in range(CLIENTS)])
    stored = objects_of(keeper, path)
    assert sum(map(len, won)) == len(stored)
    assert set().union(*won) == set(stored)
    keeper.send("DELETE", path)


def test_uploads_of_many_clients_keep_every_byte(subject: Subject, keeper: BusyClient) -> None:
    """Uploads of all sizes to one flow, read back by their checksums."""
    path = make_flow(keeper)
    digests: dict[str, str] = {}
    ends = time.monotonic() + SECONDS

    def upload(client: BusyClient, seed: int) -> None:
        random_, number = random.Random(seed), 0
        while time.monotonic() < ends or not number:
            content = random_.randbytes(int(2 ** random_.uniform(4, 21)))
            [item] = client.expect(201, "POST", f"{path}/storage", json={"limit": 1}).json()["media_objects"]
            headers = {"Content-Type": item["put_url"]["content-type"], **item["put_url"].get("headers", {})}
            client.expect(200, "PUT", item["put_url"]["url"], content=content, headers=headers)
            second = number * CLIENTS + seed
            document = {"object_id": item["object_id"], "timerange": f"[{second}:0_{second + 1}:0)"}
            client.expect(201, "POST", f"{path}/segments", json=document)
            digests[item["object_id"]] = hashlib.sha256(content).hexdigest()
            number += 1

    run_at_once(subject, [partial(upload, seed=seed) for seed in range(CLIENTS)])
    items: list[Any] = keeper.pages(f"{path}/segments")
    assert {item["object_id"] for item in items} == digests.keys()
    for item in items:
        content = keeper.expect(200, "GET", item["get_urls"][0]["url"], headers={"Authorization": ""}).content
        assert hashlib.sha256(content).hexdigest() == digests[item["object_id"]]
    keeper.send("DELETE", path)


def test_a_long_flow_is_listed_whole_while_it_grows_and_shrinks(subject: Subject, keeper: BusyClient) -> None:
    """Readers see every segment that is there all the time once, whatever happens around it."""
    path = make_flow(keeper)
    name = path[7:]
    for start in range(0, LONG, BATCH):
        items = [segment(name, each) for each in range(start, min(start + BATCH, LONG))]
        keeper.expect(201, "POST", f"{path}/segments", json=items)
    kept = {f"{name}-{each}" for each in range(LONG // 4, LONG)}
    ends = time.monotonic() + SECONDS

    def change(client: BusyClient) -> None:
        number = 0
        while time.monotonic() < ends or not number:
            start = number % (LONG // 4)
            client.send("DELETE", f"{path}/segments", params={"timerange": f"[{start}:0_{start + 1}:0)"})
            client.expect(201, "POST", f"{path}/segments", json=segment(name, LONG + number))
            number += 1

    def read(client: BusyClient) -> None:
        while True:
            seen = objects_of(client, path)
            assert len(seen) == len(set(seen))
            assert kept <= set(seen)
            if time.monotonic() >= ends:
                return

    run_at_once(subject, [change, *[read] * (CLIENTS // 3)])
    assert kept <= set(objects_of(keeper, path))
    keeper.send("DELETE", path)
