"""Restoring a backup into an empty catalogue."""

from collections.abc import Mapping
from pathlib import Path

from storage.catalog.backup.manifest import CATALOGUE, Manifest, Progress, verify
from storage.catalog.backup.media_files import restore_media, verify_media
from storage.errors import Invalid
from storage.media.filesystem import FileStore
from storage.tables.engine import Engine
from storage.tables.transfer import import_tables


def verify_backup(folder: Path, manifest: Manifest, progress: Progress, *, media: bool) -> None:
    """Compare all files in the folder of a backup with their checksums. media: the media as well. Raises Invalid."""
    verify(folder, manifest, progress)
    if media:
        verify_media(folder, progress)


def restore_backup(
    engine: Engine,
    folder: Path,
    manifest: Manifest,
    progress: Progress,
    file_stores: Mapping[str, FileStore] | None = None,
) -> int:
    """Fill the empty catalogue of `engine` from a verified backup. Returns the number of media files restored.

    folder: of the backup. file_stores: where to put its media, by storage backend id; None to leave the media out.
    An interrupted restoration leaves a catalogue on which no server starts (storage.tables.import_marker), and can be
    repeated. Raises: Invalid if the catalogue is not empty, or if an import of something else was interrupted;
    Unavailable.
    """
    if file_stores is not None and manifest.media is None:
        raise Invalid(f"the backup {manifest.name} has no media")
    restored = 0

    def restore_all_media() -> None:
        # First, so that whatever the catalogue knows has its bytes once servers can start.
        nonlocal restored
        restored = restore_media(folder, file_stores or {}, progress) if file_stores is not None else 0

    import_tables(engine, folder / CATALOGUE, progress, prepare=restore_all_media)
    return restored
