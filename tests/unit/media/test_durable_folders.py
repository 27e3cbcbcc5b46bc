"""The folders of objects: created when needed, and durable, with the least syncing that this takes."""

import tracemalloc
from pathlib import Path

import pytest

from storage.media import durable_files
from storage.media.durable_files import DurableFolders


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that have been synced, in order."""
    paths: list[Path] = []
    real = durable_files.sync_directory

    def sync(path: Path) -> None:
        paths.append(path)
        real(path)

    monkeypatch.setattr(durable_files, "sync_directory", sync)
    return paths


def test_new_folders_are_synced_up_to_the_root_and_known_ones_alone(tmp_path: Path, synced: list[Path]) -> None:
    folders = DurableFolders(tmp_path)
    first, second = tmp_path / "ab" / "cd", tmp_path / "ab" / "ef"
    folders.create(first)
    folders.sync(first)
    assert synced == [first, first.parent, tmp_path]
    synced.clear()
    folders.create(second)
    folders.sync(second)
    assert synced == [second, second.parent]
    synced.clear()
    folders.create(first)
    folders.sync(first)
    assert synced == [first]


def test_folders_of_another_process_are_synced_once(tmp_path: Path, synced: list[Path]) -> None:
    leaf = tmp_path / "ab" / "cd"
    DurableFolders(tmp_path).create(leaf)
    folders = DurableFolders(tmp_path)
    folders.create(leaf)
    folders.sync(leaf)
    folders.sync(leaf)
    assert synced == [leaf, leaf.parent, tmp_path, leaf]


def test_folders_that_were_removed_are_created_and_synced_again(tmp_path: Path, synced: list[Path]) -> None:
    folders = DurableFolders(tmp_path)
    leaf = tmp_path / "ab" / "cd"
    folders.create(leaf)
    folders.sync(leaf)
    leaf.rmdir()
    leaf.parent.rmdir()
    synced.clear()
    folders.create(leaf)
    folders.sync(leaf)
    assert synced == [leaf, leaf.parent, tmp_path]


def test_lost_root_is_not_created_again(tmp_path: Path) -> None:
    folders = DurableFolders(tmp_path / "lost")
    with pytest.raises(FileNotFoundError):
        folders.create(tmp_path / "lost" / "ab" / "cd")


def test_known_folders_take_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable_files, "sync_directory", lambda _path: None)
    folders = DurableFolders(tmp_path)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2000):
            folders.sync(tmp_path / f"{number % 256:02x}" / f"{number // 256:02x}")
        assert tracemalloc.get_traced_memory()[0] - before < 10_000
    finally:
        tracemalloc.stop()
