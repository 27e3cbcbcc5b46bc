"""Live ingest from standard input (F21): the flow grows, outlasts a restart of the server, and ends with its status."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from storage.timerange import parse_timerange
from tams_server.client import Client, ClientError, Token, calls
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import free_port, own_server

from . import media_files
from .media_files import Recipe

COMMAND = "import sys; from tams_server.client_cli.main import main; sys.exit(main())"
STREAM = Recipe("stream.ts", "mpeg2video", "mp2", rate=Fraction(25), frames=300, gop=10)


class Live:
    """A live ingest of a file that is sent in parts."""

    def __init__(self, url: str, token: str, media: bytes) -> None:
        command = [sys.executable, "-c", COMMAND, "ingest", "--live", "-", "--segment-duration", "0.4", "-o", "json"]
        self._process = subprocess.Popen(
            [*command, "--label", "Camera"],
            env={**os.environ, "TAMS_URL": url, "TAMS_TOKEN": token},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._media = media
        self._sent = 0
        self._pool = ThreadPoolExecutor(1)

    def send(self, share: float) -> None:
        """Send until a share of the file has been sent, in whole packets of MPEG-TS.

        In a thread, as the command takes no more than it can store.
        """
        upto = int(len(self._media) * share) // 188 * 188
        part, self._sent = self._media[self._sent : upto], upto
        self._sending = self._pool.submit(self._write, part)

    def _write(self, part: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(part)
        self._process.stdin.flush()

    def end(self) -> str:
        """Send the rest, and return what the command says. It must succeed."""
        self.send(1)
        self._sending.result(timeout=60)
        out, err = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, err
        return err.decode() + out.decode()


@pytest.fixture
def media(files: Path) -> bytes:
    return media_files.make(files, STREAM).read_bytes()


def test_a_live_flow_grows_and_outlasts_a_restart(media: bytes, tmp_path: Path) -> None:
    port, token = free_port(), "live-token-of-this-test"
    settings = {"TAMS_BOOTSTRAP_TOKEN": token}

    def spans(client: Client) -> int:
        flows = list(client.iterate(calls.flows(label="Camera (video)")))
        return sum(1 for flow in flows for _ in client.iterate(calls.segments(flow["id"], with_urls=False)))

    with own_server(tmp_path, settings, port) as running, Client(running.url, Token(token)) as client:
        live = Live(running.url, token, media)
        live.send(0.4)
        wait_until(lambda: spans(client) >= 3, "the first segments", timeout_s=40)
        [flow] = client.iterate(calls.flows(label="Camera (video)"))
        assert flow["status"] == "ingesting"
        before = spans(client)
    live.send(0.8)
    with own_server(tmp_path, settings, port) as running, Client(running.url, Token(token)) as client:
        wait_until(lambda: _there(client, spans) > before, "segments after the restart", timeout_s=40)
        live.end()
        [flow] = client.iterate(calls.flows(label="Camera (video)"))
        assert flow["status"] == "closed_complete"
        segments = list(client.iterate(calls.segments(flow["id"], with_urls=False)))
        ends = [parse_timerange(each["timerange"]).bounds for each in segments]
        assert all(one[1] == other[0] for one, other in pairwise(ends))
        # Times of day, in TAI.
        assert abs(ends[0][0] / 1e9 - time.time()) < 600
        assert ends[-1][1] - ends[0][0] == pytest.approx(12e9, abs=1e8)


def _there(client: Client, spans: Callable[[Client], int]) -> int:
    """The number of segments; 0 while the server starts."""
    try:
        return spans(client)
    except ClientError:
        return 0
