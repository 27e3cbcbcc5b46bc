"""Taking a backup of an installation whose servers may keep running."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from storage.catalog.backup.manifest import CATALOGUE, Manifest, Progress, backup_name, describe
from storage.catalog.backup.media_files import LIST, MediaCopy
from storage.catalog.backup.place import Place
from storage.catalog.clock import clock as system_clock
from storage.errors import Invalid
from storage.media.filesystem import FileStore
from storage.tables.engine import Engine
from storage.tables.transfer import MANIFEST, export_tables


def take_backup(
    engine: Engine,
    place: Place,
    *,
    installation: str,
    version: str,
    progress: Progress,
    keep: int | None = None,
    file_stores: Mapping[str, FileStore] | None = None,
    clock: Callable[[], int] = system_clock,
) -> tuple[Manifest, list[Manifest]]:
    """Back up the catalogue as it is at one moment. Returns the manifests of the backup, and of those removed.

    keep: how many complete backups of this installation to keep, this one included; None for all.
    file_stores: those whose media to include, by storage backend id; None for the catalogue alone.
    Interrupted at any time, it leaves nothing that looks like a backup.
    Raises: Invalid if the place cannot hold media, or if another backup is running; Unavailable; OSError.
    """
    if file_stores is not None and not place.hard_links:
        raise Invalid("media can be included only in a backup to a folder: buckets are replicated by their own means")
    with place.adding(installation) as folder:
        earlier = [manifest for manifest in place.backups() if manifest.installation == installation]
        media = None
        if file_stores is not None:
            media = MediaCopy(file_stores, folder, _with_media(place, earlier), progress)
            # Before the catalogue, so that bytes that are deleted meanwhile are kept; those that arrive come after it.
            media.add_present(engine)
        counts = export_tables(engine, folder / CATALOGUE, progress)
        paths = [f"{CATALOGUE}/{name}" for name in (MANIFEST, *(f"{table}.parquet" for table in counts))]
        for path in paths:
            (folder / path).chmod(0o600)
        if media is not None:
            media.complete(folder / CATALOGUE)
            paths.append(LIST)
        # Never back with the clock, which would make the newest backup look like the oldest.
        created = max([clock(), *(manifest.created + 1 for manifest in earlier)])
        manifest = Manifest(
            name=backup_name(created, installation),
            installation=installation,
            created=created,
            version=version,
            rows=sum(counts.values()),
            media=None if media is None else media.count,
            files=describe(folder, paths),
        )
        place.publish(folder, manifest)
        old = [] if keep is None else [*earlier, manifest][:-keep]
        for each in old:
            place.remove(each)
    return manifest, old


def _with_media(place: Place, earlier: Sequence[Manifest]) -> Path | None:
    """The folder of the newest backup that has media."""
    return next((place.path_of(manifest) for manifest in reversed(earlier) if manifest.media is not None), None)
