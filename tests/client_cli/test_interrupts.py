"""Commands say what they wait for, and Ctrl-C ends them quietly: while they load, while they wait, and twice (F21)."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.client_cli.conftest import Commands

LOADING = """
import os, signal, sys
module = sys.argv.pop(1)
class Interrupting:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
from tams_server.client_cli.main import main
sys.exit(main())
"""
STOPPED = """
import time
from tams_server.client_cli.stop_signal import stopped_by_signal
with stopped_by_signal(lambda: print("stopped", flush=True), "ending"):
    print("running", flush=True)
    time.sleep(600)
"""
FLOW, BUSY = "0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-000000000002"


@dataclass(frozen=True)
class Half:
    """A server that knows FLOW, is busy for BUSY, and responds to nothing else. held: whether it was asked for that."""

    url: str
    held: threading.Event


@pytest.fixture
def half() -> Iterator[Half]:
    held, ended = threading.Event(), threading.Event()
    documents = {
        "/service": {"api_version": "8.2", "min_object_timeout": "300:0"},
        f"/flows/{FLOW}": {"id": FLOW, "source_id": FLOW, "format": "urn:x-nmos:format:multi"},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path not in (*documents, f"/flows/{BUSY}"):
                held.set()
                ended.wait(60)
            body = json.dumps(documents.get(path, {"summary": "busy"})).encode()
            self.send_response(200 if path in documents else 503)
            self.send_header("Retry-After", "30")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Half(f"http://127.0.0.1:{server.server_address[1]}", held)
        ended.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("module", ["httpx", "av"])
def test_ctrl_c_while_modules_are_loaded_leaves_no_traceback(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOADING, module, "export", FLOW, str(tmp_path / "out.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TAMS_URL": "http://127.0.0.1:9"})
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_command_says_what_it_waits_for(
    half: Half, bare: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMS_URL", half.url)
    with bare.started("export", BUSY, str(tmp_path / "out.mp4")) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        wait = r"retrying for up to (10|9) min \d+ s, or until Ctrl-C: GET http://127.0.0.1:\d+/flows/"
        assert re.match(wait, told), told
        assert told.endswith(f"{BUSY} returned 503: busy\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == ""


def test_the_second_ctrl_c_ends_a_copy_at_once(
    half: Half, bare: Commands, add_context: Callable[[str, str, str], None]
) -> None:
    add_context("here", half.url, "token")
    add_context("there", half.url.replace("127.0.0.1", "localhost"), "token")
    with bare.started("cp", FLOW, "--from", "here", "--to", "there", "--follow") as process:
        assert process.stderr is not None
        assert "until Ctrl-C" in process.stderr.readline()
        assert half.held.wait(60)
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "ending: Ctrl-C again ends at once\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == ""


def test_the_second_signal_ends_a_live_input_at_once() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.communicate() == ("", "ending\n")
    finally:
        process.kill()
        process.communicate()
