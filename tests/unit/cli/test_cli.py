"""The command line, and a server run as separate processes."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tams_server.addresses import with_port
from tams_server.cli.main import main


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        ["config"],
        ["spec"],
        ["spec", "diff"],
        ["token", "create"],
        ["backup"],
        ["restore"],
        ["keys", "rotate"],
        ["replicate"],
    ],
)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert "usage: tams-server" in capsys.readouterr().out


@pytest.mark.parametrize("keep", ["0", "-1", "two"])
def test_a_backup_keeps_at_least_one(keep: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["backup", "/nowhere", f"--keep={keep}"])
    assert caught.value.code == 2
    assert "must be a number from 1" in capsys.readouterr().err


def test_config_prints_values_and_sources(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TAMS_BOOTSTRAP_TOKEN", "very-secret")
    monkeypatch.setenv("TAMS_PORT", "4011")
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^TAMS_PORT=4011 +# environment$", out, re.M)
    assert re.search(r"^TAMS_HOST=0.0.0.0 +# default$", out, re.M)
    assert "very-secret" not in out


def test_bad_settings_stop_every_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TAMS_PORT", "x")
    monkeypatch.setenv("TAMS_THREADS", "-1")
    assert main(["config"]) == 2
    err = capsys.readouterr().err
    assert "TAMS_PORT" in err
    assert "TAMS_THREADS" in err


def test_tokens_can_be_created(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["token", "create", "--data-dir", str(tmp_path), "--name", "x"]
    assert main([*arguments, "--scopes", "read,tams-api/write"]) == 0
    assert len(capsys.readouterr().out.strip()) >= 43
    assert main([*arguments, "--scopes", "everything"]) == 1
    assert "everything" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["http://localhost", "256.0.0.1", "a b", "[::1]:80", "localhost:80"])
def test_config_finds_hosts_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    monkeypatch.setenv("TAMS_HOST", host)
    assert main(["config"]) == 2
    assert f"TAMS_HOST: {host!r} must be an IP address or a host name" in capsys.readouterr().err


def test_a_port_that_is_taken_is_reported_before_anything_is_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        folder = tmp_path / "data"
        assert main(["serve", "--host", "::1", "--port", str(port), "--data-dir", str(folder)]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"tams-server: cannot listen on [::1]:{port}: address already in use\n"
    assert printed.out == ""
    assert not folder.exists()


def test_a_wrong_file_of_issuers_is_reported_before_anything_is_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMS_ISSUERS", str(tmp_path / "missing.yaml"))
    folder = tmp_path / "data"
    monkeypatch.setattr("tams_server.processes.gunicorn_server.serve", lambda *_: pytest.fail("it was started"))
    assert main(["serve", "--port", "0", "--data-dir", str(folder)]) == 2
    printed = capsys.readouterr()
    assert "missing.yaml" in printed.err
    assert printed.out == ""
    assert not folder.exists()


def test_a_server_on_an_ipv6_address_prints_a_url_that_works(tmp_path: Path) -> None:
    with server(tmp_path, host="::1") as (_, port):
        printed = (tmp_path / "output").read_text()
        assert f" http://[::1]:{port}/service" in printed
        assert httpx.get(f"http://[::1]:{port}/healthz").status_code == 200


@contextmanager
def server(folder: Path, host: str = "127.0.0.1", **environ: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a server in `folder`, on a port chosen by the system."""
    log = folder / "output"
    already = log.read_text().count("serving at") if log.exists() else 0
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tams_server", "serve", "--host", host, "--port", "0"],
            cwd=folder,
            env={**{k: v for k, v in os.environ.items() if not k.startswith("TAMS_")}, **environ},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        until(lambda: log.read_text().count("serving at") > already)
        port = int(re.findall(r"serving at http://\S+:(\d+) ", log.read_text())[-1])
        until(lambda: httpx.get(f"http://{with_port(host, port)}/readyz").status_code == 200)
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def get(port: int, path: str, token: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers)


def until(holds: object, seconds: float = 30) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_first_start_prints_a_token_that_lasts(tmp_path: Path) -> None:
    with server(tmp_path) as (_, port):
        printed = (tmp_path / "output").read_text()
        found = re.search(r"^    (\S{43,})$", printed, re.M)
        assert found
        token = found[1]
        assert f'curl -H "Authorization: Bearer {token}" http://127.0.0.1:{port}/service' in printed
        assert get(port, "/service", token).status_code == 200
        assert get(port, "/service").status_code == 401
        backends = get(port, "/service/storage-backends", token).json()
    with server(tmp_path) as (_, port):
        assert get(port, "/service", token).status_code == 200
        assert get(port, "/service/storage-backends", token).json() == backends
    assert (tmp_path / "output").read_text().count("first start") == 1
    stored = b"".join(file.read_bytes() for file in (tmp_path / "tams-data").rglob("*") if file.is_file())
    assert token.encode() not in stored


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_killed_processes_are_replaced_and_all_end_with_the_server(tmp_path: Path) -> None:
    with server(tmp_path, TAMS_BOOTSTRAP_TOKEN="t", TAMS_WORKERS="1") as (process, port):
        until(lambda: len(children(process.pid)) == 2)
        before = children(process.pid)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(children(process.pid)) == 2 and not set(children(process.pid)) & set(before))
        until(lambda: get(port, "/service", "t").status_code == 200)
        last = children(process.pid)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in last))


def test_a_server_can_be_stopped_as_soon_as_it_serves(tmp_path: Path) -> None:
    for _ in range(3):
        with server(tmp_path, TAMS_WORKERS="1"):
            started = time.monotonic()
        assert time.monotonic() - started < 15
