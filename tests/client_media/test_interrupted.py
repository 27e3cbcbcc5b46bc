"""Ctrl-C and errors end an ingest (F21) at once, also while the server is away and uploads wait to be repeated."""

import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest

from tams_server.client import Client, ClientError, RetryPolicy, Token, calls
from tams_server.client_media.segment_writer import Piece, SegmentWriter
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import own_server

from . import media_files
from .media_files import Recipe

COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from tams_server.client_cli.main import main
sys.exit(main())
"""
STREAM = Recipe("interrupted.ts", "mpeg2video", None, rate=Fraction(25), frames=500, gop=10)
AWAY = RetryPolicy(for_s=600, longest_s=300, first_s=300)


def test_ctrl_c_ends_an_ingest_whose_server_is_away(files: Path, tmp_path: Path) -> None:
    media = media_files.make(files, STREAM).read_bytes()
    arguments = ["ingest", "-", "--segment-duration", "0.4", "--label", "Interrupted"]
    with own_server(tmp_path) as running, Client(running.url, Token(running.token)) as client:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            env={**os.environ, "TAMS_URL": running.url, "TAMS_TOKEN": running.token},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            half = len(media) // 376 * 188
            send(process.stdin, media[:half])
            label = "Interrupted (video)"
            wait_until(lambda: bool(list(client.iterate(calls.flows(label=label)))), "the flow", timeout_s=60)
            assert running.process is not None
            running.process.terminate()
            running.process.wait(30)
            send(process.stdin, media[half:])
            lines: list[bytes] = []
            for line in process.stderr:
                lines.append(line)
                if b"retrying" in line:
                    break
            assert process.poll() is None, lines
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130, process.stderr.read()
        finally:
            process.kill()
            process.wait()


def send(pipe: Any, data: bytes) -> None:
    """Write in a thread, as the command takes no more than it can store."""

    def write() -> None:
        try:
            pipe.write(data)
            pipe.flush()
        except (BrokenPipeError, ValueError):
            pass  # the command has ended

    threading.Thread(target=write, daemon=True).start()


class Store:
    """A server that allocates storage. uploads: what to do with each upload, by its bytes."""

    def __init__(self, **uploads: Any) -> None:
        self.uploads = uploads
        self.seen: set[str] = set()

    def client(self) -> Client:
        return Client("http://server", transport=httpx.MockTransport(self))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            content = request.read().decode()
            self.seen.add(content)
            return self.uploads[content](request)  # type: ignore[no-any-return]
        objects = [{"object_id": "an-object", "put_url": {"url": "http://store/object"}} for _ in range(16)]
        return httpx.Response(201, json={"media_objects": objects})


def away(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def full(_: httpx.Request) -> httpx.Response:
    return httpx.Response(413, json={"type": "full", "summary": "the storage is full"})


def pieces(writer: SegmentWriter, *contents: str) -> None:
    for number, each in enumerate(contents):
        writer.put("a-flow", Piece({"timerange": f"[{number}:0_{number + 1}:0)"}, each.encode()))


def test_an_error_does_not_wait_for_uploads_that_are_repeated() -> None:
    store = Store(one=away, two=away)
    began = time.monotonic()
    with store.client() as client, pytest.raises(KeyboardInterrupt), SegmentWriter(client, retry=AWAY) as writer:
        pieces(writer, "one", "two")
        wait_until(lambda: store.seen == {"one", "two"}, "both uploads")
        raise KeyboardInterrupt
    assert time.monotonic() - began < 60


def test_an_upload_that_fails_for_good_ends_those_that_are_repeated() -> None:
    store = Store(one=away, two=full)
    began = time.monotonic()
    full_store = pytest.raises(ClientError, match="the storage is full")
    with store.client() as client, full_store, SegmentWriter(client, retry=AWAY) as writer:
        pieces(writer, "one", "two")
    assert time.monotonic() - began < 60


def test_any_error_of_a_registration_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("not foreseen")

    store = Store(one=lambda _: httpx.Response(200))
    monkeypatch.setattr(SegmentWriter, "_add", broken)
    raised = pytest.raises(KeyError, match="not foreseen")
    with store.client() as client, raised, SegmentWriter(client, retry=AWAY, batch_s=0.05) as writer:
        pieces(writer, "one")
        wait_until(lambda: writer._error is not None, "the error in the background")
