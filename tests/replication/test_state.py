"""The state file: upload URLs of objects on their way, and flows that runs have locked."""

import os
from pathlib import Path

import pytest

from tams_server.client.documents import Slot
from tams_server.replication.state import State, default_path

HOUR = 3600.0


def slot(object_id: str) -> Slot:
    return {"object_id": object_id, "put_url": {"url": f"https://store.example/{object_id}?signature=secret"}}


def test_an_upload_url_is_there_for_the_next_run_until_it_is_used(tmp_path: Path) -> None:
    first = State(tmp_path / "state", "http://to.example")
    first.save_slot("a", slot("a"))
    second = State(tmp_path / "state", "http://to.example")  # as after a kill: the first was never closed
    assert second.slot("a", HOUR) == slot("a")
    second.forget_slot("a")
    assert first.slot("a", HOUR) is None
    for each in (first, second):
        each.close()


def test_runs_to_other_servers_share_the_file_and_nothing_else(tmp_path: Path) -> None:
    one, other = State(tmp_path / "state", "http://one.example"), State(tmp_path / "state", "http://other.example")
    one.save_slot("a", slot("a"))
    one.save_lock("flow", "1")
    assert other.slot("a", HOUR) is None
    assert (one.lock("flow"), other.lock("flow")) == ("1", None)
    for each in (one, other):
        each.close()


def test_upload_urls_that_have_expired_are_not_used(tmp_path: Path) -> None:
    state = State(tmp_path / "state", "http://to.example")
    state.save_slot("a", slot("a"))
    assert state.slot("a", 0) is None
    state.forget_old_slots(0)
    assert state.slot("a", HOUR) is None
    state.close()


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    state = State(folder / "state", "http://to.example")
    state.save_slot("a", slot("a"))
    assert {file.stat().st_mode & 0o077 for file in (folder, *folder.iterdir())} == {0}
    state.close()


def test_a_file_that_is_no_state_file_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "state"
    file.write_bytes(b"something else" * 100)
    with pytest.raises(OSError, match="cannot be used as the state file"):
        State(file, "http://to.example")


def test_the_file_is_in_the_folder_for_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path))
    assert default_path() == tmp_path / "tams" / "replicate.sqlite"
