"""Backups in a folder.

<folder>/<name>/              a complete backup
<folder>/.partial-<name>/     one that is being written or removed, or was when its process died
<folder>/.lock-<suffix>       locked while a backup of an installation is written or removed
"""

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from storage.catalog.backup.manifest import MANIFEST, Manifest, is_name, name_suffix
from storage.catalog.backup.place import Place
from storage.errors import Invalid
from storage.media.durable_files import sync_directory

_log = logging.getLogger(__name__)

_PARTIAL = ".partial-"


class FolderPlace(Place):
    hard_links = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = str(folder)

    def backups(self) -> list[Manifest]:
        return self._find()[0]

    def damaged(self) -> list[str]:
        # A backup gets its name after its manifest.
        return self._find()[1]

    def _find(self) -> tuple[list[Manifest], list[str]]:
        try:
            names = sorted(path.name for path in self._folder.iterdir() if is_name(path.name))
        except FileNotFoundError:
            return [], []
        found, damaged = [], []
        for name in names:
            try:
                manifest = Manifest.from_json((self._folder / name / MANIFEST).read_bytes())
                if manifest.name != name:
                    raise Invalid(f"its manifest names {manifest.name}")
            except (FileNotFoundError, NotADirectoryError, Invalid) as error:
                _log.warning("%s is not a complete backup: %s", self._folder / name, error)
                damaged.append(name)
                continue
            found.append(manifest)
        return found, damaged

    @contextlib.contextmanager
    def adding(self, installation: str) -> Iterator[Path]:
        suffix = name_suffix(installation)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self._folder / f".lock-{suffix}", self.address):
            for path in self._folder.glob(f"{_PARTIAL}*-{suffix}"):
                _log.info("removing the incomplete backup %s", path)
                shutil.rmtree(path)
            folder = self._folder / f"{_PARTIAL}new-{suffix}"
            folder.mkdir(mode=0o700)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def publish(self, folder: Path, manifest: Manifest) -> None:
        # Millions of files and folders may be new, and one call makes all of them durable.
        os.sync()
        with _created(folder / MANIFEST) as fd:
            os.write(fd, manifest.to_json())
            os.fsync(fd)
        sync_directory(folder)
        folder.rename(self._folder / manifest.name)
        sync_directory(self._folder)

    def path_of(self, manifest: Manifest) -> Path | None:
        return self._folder / manifest.name

    @contextlib.contextmanager
    def reading(self, manifest: Manifest) -> Iterator[Path]:
        yield self._folder / manifest.name

    def remove(self, manifest: Manifest) -> None:
        partial = self._folder / f"{_PARTIAL}{manifest.name}"
        (self._folder / manifest.name).rename(partial)
        sync_directory(self._folder)
        shutil.rmtree(partial)


@contextlib.contextmanager
def _locked(file: Path, address: str) -> Iterator[None]:
    with _opened(file) as fd:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Invalid(f"another backup of this installation to {address} is running") from None
        yield


@contextlib.contextmanager
def _opened(file: Path, flags: int = 0) -> Iterator[int]:
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def _created(file: Path) -> contextlib.AbstractContextManager[int]:
    return _opened(file, os.O_EXCL)
