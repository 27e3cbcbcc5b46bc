"""Kill the server repeatedly during ingest: everything that it acknowledged must survive."""

import os
import random
import signal
import threading
from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.documents import flow
from tests.conformance.kit.server import Subject, free_port, own_server

KILLS = 20
WRITERS = 3


class _Ingest:
    """Uploads and registers one segment after another. acknowledged: those that returned 201."""

    def __init__(self, subject: Subject, path: str, first: int) -> None:
        self._http = httpx.Client(
            base_url=subject.url, headers={"Authorization": f"Bearer {subject.token}"}, timeout=30
        )
        self._path = path
        self._at = first
        self.acknowledged: dict[str, tuple[str, bytes]] = {}

    def run(self) -> None:
        try:
            while True:
                self._one()
        except httpx.TransportError:
            pass  # killed

    def _one(self) -> None:
        item = self._http.post(f"{self._path}/storage", json={"limit": 1}).raise_for_status().json()["media_objects"][0]
        content = os.urandom(random.randrange(1, 200_000))
        put_url = item["put_url"]
        httpx.put(
            put_url["url"], content=content, headers={"Content-Type": put_url["content-type"]}, timeout=30
        ).raise_for_status()
        timerange = f"[{self._at}:0_{self._at + 1}:0)"
        self._at += WRITERS
        body = {"object_id": item["object_id"], "timerange": timerange}
        self._http.post(f"{self._path}/segments", json=body).raise_for_status()
        self.acknowledged[item["object_id"]] = (timerange, content)


def _check(subject: Subject, path: str, acknowledged: dict[str, tuple[str, bytes]]) -> None:
    headers = {"Authorization": f"Bearer {subject.token}"}
    with httpx.Client(base_url=subject.url, headers=headers, timeout=30) as http:
        response = http.get(f"{path}/segments", params={"limit": 1000})
        stored = {segment["object_id"]: segment for segment in response.raise_for_status().json()}
        while "next" in response.links:
            response = http.get(response.links["next"]["url"]).raise_for_status()
            stored |= {segment["object_id"]: segment for segment in response.json()}
    for object_id, (timerange, content) in acknowledged.items():
        assert stored[object_id]["timerange"] == timerange
        assert httpx.get(stored[object_id]["get_urls"][0]["url"], timeout=30).content == content


@pytest.mark.timeout(600)
def test_acknowledged_segments_survive_kills(tmp_path: Path) -> None:
    port = free_port()
    document = flow()
    path = f"/flows/{document['id']}"
    settings = {"TAMS_BOOTSTRAP_TOKEN": "a-token-of-this-test-0123456789"}
    kept: dict[str, tuple[str, bytes]] = {}
    fresh: dict[str, tuple[str, bytes]] = {}
    for round_ in range(KILLS):
        with own_server(tmp_path, settings, port) as subject:
            assert subject.process is not None
            if round_ == 0:
                headers = {"Authorization": f"Bearer {subject.token}"}
                httpx.put(f"{subject.url}{path}", json=document, headers=headers).raise_for_status()
            _check(subject, path, fresh)
            writers = [_Ingest(subject, path, round_ * 1_000_000 + n) for n in range(WRITERS)]
            threads = [threading.Thread(target=writer.run) for writer in writers]
            for thread in threads:
                thread.start()
            threads[0].join(random.uniform(0.1, 1.0))
            os.killpg(subject.process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
        fresh = {key: value for writer in writers for key, value in writer.acknowledged.items()}
        kept |= fresh
    assert len(kept) > KILLS
    with own_server(tmp_path, settings, port) as subject:
        _check(subject, path, kept)
