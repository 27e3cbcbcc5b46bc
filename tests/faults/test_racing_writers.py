"""Many writers, two server processes, the same places in one flow: one winner a place, and clear refusals."""

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
    """Ranges of one place all hold its middle, and none touches the next place."""
    return f"[{place}:{contender * 100_000_000}_{place}:{999_999_999 - contender * 100_000_000})"


def test_one_segment_wins_each_place(tmp_path: Path) -> None:
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
                answers = list(threads.map(lambda body: http.post(f"{path}/segments", json=body), attempts))

            assert Counter(answer.status_code for answer in answers) == {
                201: PLACES,
                400: PLACES * (CONTENDERS - 1),
            }
            losers = [answer.json() for answer in answers if answer.status_code == 400]
            assert {problem["field"] for problem in losers} == {"timerange"}
            assert all("overlaps" in problem["message"] for problem in losers)
            stored = http.get(f"{path}/segments", params={"limit": 1000}).json()
            seconds = [int(segment["timerange"][1:].partition(":")[0]) for segment in stored]
            assert seconds == list(range(PLACES))
            won = {body["object_id"] for body, a in zip(attempts, answers, strict=True) if a.status_code == 201}
            assert {segment["object_id"] for segment in stored} == won
