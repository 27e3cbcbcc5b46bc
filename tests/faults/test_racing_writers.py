"""Many concurrent writers to the same timeranges of one flow, over two processes: one succeeds for each."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.conformance.kit.documents import flow
from tests.conformance.kit.server import own_server

PLACES = 500
CONTENDERS = 4
THREADS = 16


def _wanted(place: int, contender: int) -> str:
    """Return a timerange that overlaps those of all contenders for `place`, but not the next place."""
    return f"[{place}:{contender * 100_000_000}_{place}:{999_999_999 - contender * 100_000_000})"


def test_one_of_several_overlapping_segments_is_registered(tmp_path: Path) -> None:
    with own_server(tmp_path, {"TAMS_WORKERS": "2"}) as subject:
        headers = {"Authorization": f"Bearer {subject.token}"}
        limits = httpx.Limits(max_connections=THREADS, max_keepalive_connections=THREADS)
        with httpx.Client(base_url=subject.url, headers=headers, timeout=120, limits=limits) as http:
            document = flow()
            path = f"/flows/{document['id']}"
            http.put(path, json=document).raise_for_status()
            ids = [
                item["object_id"]
                for _ in range(PLACES * CONTENDERS // 1000)
                for item in http.post(f"{path}/storage", json={"limit": 1000}).json()["media_objects"]
            ]
            attempts = [{"object_id": id_, "timerange": _wanted(n % PLACES, n // PLACES)} for n, id_ in enumerate(ids)]

            with ThreadPoolExecutor(THREADS) as threads:
                responses = list(threads.map(lambda body: http.post(f"{path}/segments", json=body), attempts))

            assert Counter(response.status_code for response in responses) == {
                201: PLACES,
                400: PLACES * (CONTENDERS - 1),
            }
            losers = [response.json() for response in responses if response.status_code == 400]
            assert {problem["field"] for problem in losers} == {"timerange"}
            assert all("overlaps" in problem["message"] for problem in losers)
            stored = http.get(f"{path}/segments", params={"limit": 1000}).json()
            seconds = [int(segment["timerange"][1:].partition(":")[0]) for segment in stored]
            assert seconds == list(range(PLACES))
            won = {body["object_id"] for body, a in zip(attempts, responses, strict=True) if a.status_code == 201}
            assert {segment["object_id"] for segment in stored} == won
