"""Uploads to FileStore in pieces: several of one object, and those of processes that died."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import Conflict
from storage.media.filesystem import FileStore
from storage.media.object_file import Upload
from tests.unit.media.test_filesystem_store import BACKEND, SECRET, incoming, open_store, read


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return open_store(tmp_path)


@pytest.mark.parametrize("hard_links", [True, False])
def test_only_one_of_several_uploads_without_replace_succeeds(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not hard_links:
        monkeypatch.setattr("os.link", no_links)
    uploads = [store.begin("object", "video/mp4") for _ in range(2)]
    for number, upload in enumerate(uploads):
        upload.add(b"%d" % number)
    uploads[1].commit(replace=False)
    with pytest.raises(Conflict, match="'object'"):
        uploads[0].commit(replace=False)
    uploads[0].abort()
    assert read(store, "object") == b"1"
    assert incoming(tmp_path) == []


def test_uploads_of_dead_processes_are_removed_and_those_of_live_ones_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    dying = f"""
import os
from pathlib import Path
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend
store = FileStore(Path({str(tmp_path)!r}), Backend({BACKEND.id!r}, None, "", ""), {SECRET!r}, upload_timeout_s=1,
                  download_timeout_s=1)
upload = store.begin("dead", "video/mp4")
upload.add(b"x" * 1000)
os._exit(9)
"""
    live: Upload = store.begin("live", "video/mp4")
    live.add(b"alive")
    assert subprocess.run([sys.executable, "-c", dying], check=False).returncode == 9
    assert len(incoming(tmp_path)) == 2
    open_store(tmp_path)
    assert len(incoming(tmp_path)) == 1
    live.commit()
    assert read(store, "live") == b"alive"
    assert store.stat("dead") is None
