"""A folder of media that is unmounted, replaced, or was used by an earlier release."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.errors import NotFound, Unavailable
from storage.media.filesystem import FileStore
from storage.media.marker import FILE_NAME, ForeignPlace, Owner, UnknownPlace
from storage.media.object_store import Backend

BACKEND = Backend("3f6d2a5e-8f0b-4a54-9d4e-0c5a8f0d9b11", "disc", "example", "files")
OTHER = Backend("4f6d2a5e-8f0b-4a54-9d4e-0c5a8f0d9b12", "disc", "example", "files")
SECRET = b"0123456789abcdef"
USES: list[Callable[[FileStore], object]] = [
    lambda store: store.open("object"),
    lambda store: store.stat("object"),
    lambda store: store.write("new", "video/mp2t", iter([b"new"])),
    lambda store: store.begin("new", "video/mp2t"),
    lambda store: store.delete("object"),
    lambda store: list(store.object_ids()),
    FileStore.check,
]


def open_store(
    root: Path, *, used: bool = False, backend: Backend = BACKEND, may_be_missing: bool = False
) -> FileStore:
    return FileStore(
        root,
        backend,
        SECRET,
        upload_timeout_s=300,
        download_timeout_s=600,
        owner=Owner(lambda: used),
        may_be_missing=may_be_missing,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one object."""
    root = tmp_path / "media"
    open_store(root).write("object", "video/mp2t", iter([b"bytes"]))
    return root


def _unmount(root: Path) -> None:
    root.rename(root.with_name("unmounted"))
    root.mkdir()


def _unmount_over_a_used_folder(root: Path) -> None:
    _unmount(root)
    (root / "objects").mkdir()
    (root / "incoming").mkdir()


def _mount_another_backend(root: Path) -> None:
    _unmount(root)
    open_store(root, backend=OTHER)


LOSSES = [_unmount, _unmount_over_a_used_folder, _mount_another_backend]


def test_the_first_use_writes_the_id_of_the_backend(tmp_path: Path) -> None:
    open_store(tmp_path / "media")
    assert (tmp_path / "media" / FILE_NAME).read_text() == f"{BACKEND.id}\n"


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("use", USES)
def test_a_lost_mount_is_an_outage_for_a_running_process(
    root: Path, lose: Callable[[Path], None], use: Callable[[FileStore], object]
) -> None:
    store = open_store(root, used=True)
    lose(root)
    found = sorted(root.rglob("*"))
    with pytest.raises(UnknownPlace, match="marker"):
        use(store)
    assert sorted(root.rglob("*")) == found, "nothing is written to the wrong disk"


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("use", USES)
def test_a_lost_mount_is_an_outage_after_a_restart(
    root: Path, lose: Callable[[Path], None], use: Callable[[FileStore], object], caplog: pytest.LogCaptureFixture
) -> None:
    lose(root)
    found = sorted(root.rglob("*"))
    store = open_store(root, used=True)
    with pytest.raises(UnknownPlace, match="marker"):
        use(store)
    assert sorted(root.rglob("*")) == found
    assert str(root / FILE_NAME) in caplog.text, "the log says what to do"


def test_a_folder_that_is_gone_is_not_created_anew(root: Path) -> None:
    root.rename(root.with_name("unmounted"))
    with pytest.raises(Unavailable, match="does not exist"):
        open_store(root, used=True).write("new", "video/mp2t", iter([b"new"]))
    assert not root.exists()


def test_work_goes_on_when_the_folder_is_mounted_again(root: Path) -> None:
    store = open_store(root, used=True)
    _unmount_over_a_used_folder(root)
    with pytest.raises(UnknownPlace):
        store.stat("object")
    shutil.rmtree(root)
    root.with_name("unmounted").rename(root)
    assert store.open("object").read() == b"bytes"
    with pytest.raises(NotFound):
        store.open("never stored")


def test_a_copy_of_the_folder_is_accepted(root: Path) -> None:
    """A restored backup, for instance: it has the marker too, as another file."""
    store = open_store(root, used=True)
    copy = root.with_name("copy")
    shutil.copytree(root, copy)
    root.rename(root.with_name("original"))
    copy.rename(root)
    assert store.open("object").read() == b"bytes"


@pytest.mark.parametrize("used", [True, False])
def test_a_folder_of_an_earlier_release_is_marked_at_the_first_start(root: Path, used: bool) -> None:
    (root / FILE_NAME).unlink()
    store = open_store(root, used=used)
    assert (root / FILE_NAME).read_text() == f"{BACKEND.id}\n"
    assert store.open("object").read() == b"bytes"


def test_an_operator_can_accept_an_empty_folder(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()
    store = open_store(root, used=True)
    with pytest.raises(UnknownPlace):
        store.check()
    (root / FILE_NAME).write_text(BACKEND.id)
    store.check()
    store.write("new", "video/mp2t", iter([b"new"]))


def test_a_folder_that_appears_later_is_used(tmp_path: Path) -> None:
    store = open_store(tmp_path / "media", may_be_missing=True)
    with pytest.raises(Unavailable):
        store.write("new", "video/mp2t", iter([b"new"]))
    (tmp_path / "media").mkdir()
    store.write("new", "video/mp2t", iter([b"new"]))


def test_the_marker_names_the_installation(tmp_path: Path) -> None:
    open_owned(tmp_path, "ours")
    assert (tmp_path / FILE_NAME).read_text() == f"{BACKEND.id}\nours\n"
    open_owned(tmp_path, "ours").check()


@pytest.mark.parametrize("used", [True, False])
def test_the_place_of_another_installation_is_refused(root: Path, used: bool) -> None:
    """Such as that of a catalogue that was lost, beside the new one that was made in its stead."""
    (root / FILE_NAME).write_text(f"{BACKEND.id}\ntheirs\n")
    store = open_owned(root, "ours", used=used)
    with pytest.raises(ForeignPlace, match="the installation theirs, and this catalogue to ours") as caught:
        store.check()
    assert "have it hold" in caught.value.advice
    (root / FILE_NAME).write_text(f"{BACKEND.id}\nours\n")
    store.check()


@pytest.mark.parametrize("marker", [None, f"{BACKEND.id}\n"])
def test_a_place_of_an_earlier_release_is_claimed_by_the_catalogue_that_knows_its_objects(
    root: Path, marker: str | None
) -> None:
    (root / FILE_NAME).unlink()
    if marker is not None:
        (root / FILE_NAME).write_text(marker)
    with pytest.raises(ForeignPlace, match="it has objects, of which the catalogue knows none"):
        open_owned(root, "new").check()
    open_owned(root, "ours", used=True).check()
    assert (root / FILE_NAME).read_text() == f"{BACKEND.id}\nours\n"
    with pytest.raises(ForeignPlace):
        open_owned(root, "new").check()


def open_owned(root: Path, installation: str, *, used: bool = False) -> FileStore:
    owner = Owner(lambda: used, installation)
    return FileStore(root, BACKEND, SECRET, upload_timeout_s=300, download_timeout_s=600, owner=owner)


def test_whether_objects_are_known_is_asked_only_without_a_marker(root: Path) -> None:
    def is_used() -> bool:
        raise AssertionError("a costly question")

    store = FileStore(root, BACKEND, SECRET, upload_timeout_s=300, download_timeout_s=600, owner=Owner(is_used))
    assert store.open("object").read() == b"bytes"
