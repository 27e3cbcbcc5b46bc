"""F4: an accepted deletion is completed even if the process that accepted it ends."""

from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.checker import Checker
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import Subject, own_server

TOKEN = "a-token-for-both-lives-of-the-server"
SETTINGS = {"TAMS_BOOTSTRAP_TOKEN": TOKEN, "TAMS_ASYNC_DELETION_THRESHOLD": "0"}


def client(subject: Subject) -> TamsClient:
    http = httpx.Client(base_url=subject.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
    return TamsClient(http, Checker())


@pytest.mark.behaviour("DREQ-13", "DREQ-06")
def test_a_deletion_resumes_after_a_restart(tmp_path: Path) -> None:
    with own_server(tmp_path, {**SETTINGS, "TAMS_WORKER_INTERVAL": "3600"}) as first:
        tams = client(first)
        flow = tams.make_flow()
        tams.make_segments(flow["id"], ["[0:0_1:0)", "[1:0_2:0)"])
        accepted = tams.delete(f"/flows/{flow['id']}/segments")
        assert accepted.status_code == 202
        path = f"/flow-delete-requests/{accepted.json()['id']}"
        assert tams.get(path).json()["status"] == "created"
        assert len(tams.segments(flow["id"])) == 2
    with own_server(tmp_path, SETTINGS) as second:
        tams = client(second)
        wait_until(lambda: tams.get(path).json()["status"] == "done", "the end of the deletion")
        assert tams.segments(flow["id"]) == []
