"""The audit log: whole lines from many writers, a file that is replaced, and a disk that is full."""

import json
import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from storage.errors import Unavailable
from tams_server.audit_log import OFF, STDOUT, AuditLog


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _write_many(path: str, writer: int) -> None:
    log = AuditLog(path)
    threads = [
        threading.Thread(
            target=lambda: [log.write("x", {"writer": writer, "n": n, "pad": "p" * 5000}) for n in range(50)]
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_lines_of_several_processes_and_threads_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    processes = [multiprocessing.Process(target=_write_many, args=(str(path), writer)) for writer in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    found = records(path)
    assert len(found) == 300
    assert {each["writer"] for each in found} == {0, 1, 2}


def test_a_file_that_was_moved_away_is_followed_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path))
    log.write("first", {})
    path.rename(tmp_path / "audit.jsonl.1")
    log.write("second", {})
    path.unlink()
    log.write("third", {})
    assert [each["event"] for each in records(tmp_path / "audit.jsonl.1")] == ["first"]
    assert [each["event"] for each in records(path)] == ["third"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_text_of_a_client_stays_within_its_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(str(path))
    log.write("x", {"principal": "a\nb\u2028\x1b[2J\u202e\udcff"})
    [line] = path.read_bytes().splitlines()
    assert line.isascii()
    assert json.loads(line)["event"].strip("'") == "x"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the disk is full: a write stores half of the line, and then fails."""
    state = [True]
    write = os.write

    def write_some(file: int, data: bytes) -> int:
        return write(file, data[: len(data) // 2]) if state[0] else write(file, data)

    monkeypatch.setattr("tams_server.audit_log.os.write", write_some)
    return state


def test_a_full_disk_leaves_no_half_line_and_is_counted(tmp_path: Path, full: list[bool]) -> None:
    path, failures = tmp_path / "audit.jsonl", []
    log = AuditLog(str(path), on_failure=lambda: failures.append(1))
    assert not log.write("lost", {})
    assert not log.write("lost", {})
    log.begin({})
    full[0] = False
    assert log.write("kept", {})
    assert [each["event"] for each in records(path)] == ["kept"]
    assert len(failures) == 2


def test_changes_are_refused_while_the_log_cannot_be_written(tmp_path: Path, full: list[bool]) -> None:
    log = AuditLog(str(tmp_path / "audit.jsonl"), refuse_changes=True)
    with pytest.raises(Unavailable, match="audit log"):
        log.begin({"principal": "ann"})
    full[0] = False
    log.begin({"principal": "ann"})
    assert [each["event"] for each in records(tmp_path / "audit.jsonl")] == ["begin"]


def test_a_missing_folder_is_a_failure_and_no_exception(tmp_path: Path) -> None:
    assert not AuditLog(str(tmp_path / "no" / "audit.jsonl")).write("x", {})


def test_nothing_is_written_where_it_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = AuditLog(OFF, refuse_changes=True)
    assert log.write("x", {})
    log.begin({})
    assert list(tmp_path.iterdir()) == []


def test_lines_to_standard_output_fit_into_one_write(capfd: pytest.CaptureFixture[str]) -> None:
    log = AuditLog(STDOUT)
    log.write("short", {"principal": "ann"})
    log.write("long", {"principal": "ann", "changes": {"x": "y" * 10_000}})
    lines = capfd.readouterr().out.splitlines()
    short, long = map(json.loads, lines)
    assert short["principal"] == long["principal"] == "ann"
    assert (long["shortened"], "changes" in long) == (True, False)
    assert max(map(len, lines)) < 4096


@pytest.mark.parametrize("char", ["x", "\u202e", "\U000e0001", "\udcff"], ids=ascii)
def test_long_texts_are_cut_and_the_line_stays_valid(capfd: pytest.CaptureFixture[str], char: str) -> None:
    names = ("principal", "address", "request_id", "operation", "resource", "reason", "issuer")
    AuditLog(STDOUT).write("long", dict.fromkeys(names, char * 16000) | {"status": 200, "changes": {}})
    [line] = capfd.readouterr().out.splitlines()
    record = json.loads(line)
    assert len(line) < 4096
    assert set(record) == {"time", "event", *names, "status", "shortened"}
    assert all(len(record[name]) >= 30 for name in names)


def test_a_pipe_without_a_reader_is_a_failure_and_no_wait(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    log = AuditLog(str(path))
    assert not log.write("lost", {})
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert log.write("kept", {})
    assert json.loads(os.read(reader, 4096))["event"] == "kept"
    while log.write("many", {"pad": "p" * 1000}):
        pass
    os.close(reader)
    log.close()
