"""The bytes of file stores in backups: hard links where possible, otherwise copies, and a list of them with checksums.

Files of a store never change: they are replaced and deleted. So a hard link keeps the bytes, and costs nothing.
"""

import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from storage.catalog.backup.manifest import File, Progress, digest, is_safe, verify_file
from storage.errors import Invalid
from storage.media.durable_files import link_or_copy
from storage.media.filesystem import FileStore
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from storage.tables.transfer import exported_rows

LIST = "media.jsonl"
"""The list of media files: one JSON object a line, in the order of the catalogue's instances."""

_MEDIA = "media"
_STAGED = ".staged"
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A media file. path: in the backup. size, sha256: as in File. modified: in ns since 1970."""

    object_id: str
    storage_id: str
    path: str
    size: int
    sha256: str
    modified: int

    @property
    def key(self) -> tuple[str, str]:
        return self.object_id, self.storage_id


class MediaCopy:
    """Adds the media of file stores to the backup in `folder`.

    stores: by storage backend id. previous: the folder of an earlier backup, whose copies and checksums are used again
    for files that it has.
    """

    def __init__(
        self, stores: Mapping[str, FileStore], folder: Path, previous: Path | None, progress: Progress
    ) -> None:
        self.count = 0
        self._stores = stores
        self._folder = folder
        self._previous = previous
        self._progress = progress

    def add_present(self, engine: Engine) -> None:
        """Add the bytes of all objects that the catalogue knows now, before the catalogue itself is backed up."""
        count = 0
        for storage_id in self._stores:
            for object_id in _object_ids(engine, storage_id):
                count += self._add(storage_id, object_id, _STAGED)
                self._progress("media files", count)

    def complete(self, catalogue: Path) -> None:
        """Keep the bytes of the objects in the exported catalogue, add those that are new, and write the list."""
        earlier = _Earlier(self._previous)
        with (self._folder / LIST).open("x", encoding="ascii") as file:
            (self._folder / LIST).chmod(0o600)
            for row in exported_rows(catalogue, "instances", ("object_id", "storage_id")):
                storage_id, object_id = row["storage_id"], row["object_id"]
                if storage_id in self._stores and self._keep(storage_id, object_id):
                    self._list(file, earlier, storage_id, object_id)
        shutil.rmtree(self._folder / _STAGED, ignore_errors=True)

    def _list(self, file: TextIO, earlier: "_Earlier", storage_id: str, object_id: str) -> None:
        path = self._path(storage_id, object_id, _MEDIA)
        status = (self._folder / path).stat()
        known = earlier.find((object_id, storage_id))
        same = known is not None and (known.size, known.modified) == (status.st_size, status.st_mtime_ns)
        sha256 = known.sha256 if same and known is not None else digest(self._folder / path)
        entry = Entry(object_id, storage_id, str(path), status.st_size, sha256, status.st_mtime_ns)
        file.write(json.dumps(asdict(entry)) + "\n")
        self.count += 1
        self._progress("media files listed", self.count)

    def _keep(self, storage_id: str, object_id: str) -> bool:
        """Move a file from those added before to the rest, or add it now. Returns False if the object has no bytes."""
        target = self._folder / self._path(storage_id, object_id, _MEDIA)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            (self._folder / self._path(storage_id, object_id, _STAGED)).rename(target)
        except FileNotFoundError:
            return self._add(storage_id, object_id, _MEDIA)
        return True

    def _add(self, storage_id: str, object_id: str, area: str) -> bool:
        source = self._stores[storage_id].file_of(object_id)
        path = self._path(storage_id, object_id, area)
        target = self._folder / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            copies = () if self._previous is None else (self._previous / self._path(storage_id, object_id, _MEDIA),)
            link_or_copy(source, target, copies)
        except FileNotFoundError:
            # Allocated, without an upload so far, or deleted a moment ago. A lost mount must not look like this.
            self._stores[storage_id].check()
            return False
        return True

    def _path(self, storage_id: str, object_id: str, area: str) -> Path:
        file = self._stores[storage_id].file_of(object_id)
        return Path(area, storage_id, *file.parts[-3:])


class _Earlier:
    """The entries of an earlier backup, to be found in the order in which they are listed."""

    def __init__(self, folder: Path | None) -> None:
        self._entries = iter(()) if folder is None or not (folder / LIST).exists() else entries(folder)
        self._next = next(self._entries, None)

    def find(self, key: tuple[str, str]) -> Entry | None:
        while self._next is not None and self._next.key < key:
            self._next = next(self._entries, None)
        return self._next if self._next is not None and self._next.key == key else None


def entries(folder: Path) -> Iterator[Entry]:
    """The entries of the list in a backup. Raises Invalid for one that `MediaCopy` has not written."""
    with (folder / LIST).open(encoding="ascii") as lines:
        for line in lines:
            try:
                entry = Entry(**json.loads(line))
                if not is_safe(entry.path):
                    raise ValueError("it is outside the backup")
            except (ValueError, TypeError, AttributeError) as error:
                raise Invalid(f"the backup is damaged: {LIST} has a line that is no media file: {error}") from error
            yield entry


def verify_media(folder: Path, progress: Progress) -> None:
    """Raise Invalid unless every media file is in the backup as it was when it was written."""
    for number, entry in enumerate(entries(folder), 1):
        verify_file(folder / entry.path, File(entry.size, entry.sha256))
        progress("media files verified", number)


def restore_media(folder: Path, stores: Mapping[str, FileStore], progress: Progress) -> int:
    """Give the stores the bytes in a backup that they do not have yet, durably, and return their number.

    Raises: Invalid if a storage backend is not among the stores; Unavailable.
    """
    missing = {entry.storage_id for entry in entries(folder)} - stores.keys()
    if missing:
        raise Invalid(
            f"the backup has media of the storage backend {min(missing)}, which is not a file store in the settings:"
            " add it, or restore without media"
        )
    count = 0
    for entry in entries(folder):
        stores[entry.storage_id].adopt(entry.object_id, folder / entry.path)
        count += 1
        progress("media files restored", count)
    os.sync()
    return count


def _object_ids(engine: Engine, storage_id: str) -> Iterator[str]:
    """The ids of all objects with an instance on a storage backend, from reads at different moments."""
    after = None
    for _ in itertools.count():
        with engine.read_once() as tx:
            rows = tx.select(
                "instances",
                equals(storage_id=storage_id),
                order=("object_id", "instance"),
                after=after,
                limit=_BATCH,
                columns=("object_id", "instance"),
            )
        yield from (row["object_id"] for row in rows)
        if len(rows) < _BATCH:
            return
        after = [rows[-1]["object_id"], rows[-1]["instance"]]
