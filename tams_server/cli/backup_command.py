"""tams-server backup and restore."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from storage.errors import Invalid
from tams_server.cli.catalog_access import open_engine, require_catalog
from tams_server.cli.output import print_line
from tams_server.cli.progress import Progress
from tams_server.settings import Loaded, Settings

if TYPE_CHECKING:
    from storage.catalog.backup.manifest import Manifest
    from storage.catalog.backup.place import Place
    from storage.media.filesystem import FileStore

BACKUP = """
Back up the whole catalogue, as it is at one moment, to a new folder in DIR, or below
s3://BUCKET/PREFIX. The server may keep running. A backup appears under its name only
once it is complete; one that was interrupted is removed by the next.

Media stay in their storage backends. --media adds those of file stores, as hard links if
DIR is on the same file system (which protects them from deletion, not from a failing
disk), otherwise as copies; what an earlier backup in DIR has is not copied again.
Replicate S3 buckets by their own means.

Access to S3 is configured as for AWS's own tools: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_ENDPOINT_URL and so on.

The backup contains secrets: hashes of credentials, the API keys of webhooks and the keys
that sign URLs. In a folder, only its owner can read it.
"""
RESTORE = """
Restore a backup into the configured database, whose tables must be empty, after verifying
its checksums. DIR or s3://BUCKET/PREFIX is where 'tams-server backup' wrote to: the newest
complete backup there is restored, or the one whose name is added to the path. Any database
will do, not only one of the kind that was backed up.

Media in the backup are restored to file stores, and those that are there already are kept.
If the restoration is interrupted, no server starts on the catalogue; repeat the command.
Run 'tams-server check' afterwards.
"""


def backup(loaded: Loaded, options: argparse.Namespace) -> int:
    """Take a backup, or list those that there are. Return 0."""
    place = _place(options.place)
    if options.list:
        for manifest in place.backups():
            print_line(_line(manifest))
        return 0
    from storage.catalog.backup.take import take_backup
    from storage.catalog.service import load_identity
    from tams_server.version import software_version

    settings = loaded.settings
    require_catalog(settings)
    progress = Progress()
    with open_engine(settings) as engine:
        manifest, removed = take_backup(
            engine,
            place,
            installation=load_identity(engine).installation,
            version=software_version(),
            progress=progress.show,
            keep=options.keep,
            file_stores=_folders(settings) if options.media else None,
        )
    progress.clear()
    print_line(_line(manifest))
    for old in removed:
        print_line(f"removed {old.name}")
    return 0


def restore(loaded: Loaded, options: argparse.Namespace) -> int:
    """Restore a backup, or only verify it. Return 0."""
    from storage.catalog.backup.place import find_backup
    from storage.catalog.backup.restore import restore_backup, verify_backup

    address, name = _split(options.place)
    place = _place(address)
    manifest = find_backup(place, name)
    media = manifest.media is not None and not options.without_media
    progress = Progress()
    with place.reading(manifest) as folder:
        verify_backup(folder, manifest, progress.show, media=media)
        progress.clear()
        if options.verify:
            print_line(f"{_line(manifest)}: no file is missing or damaged")
            return 0
        with open_engine(loaded.settings, importing=True) as engine:
            stores = _folders(loaded.settings, manifest.installation) if media else None
            restored = restore_backup(engine, folder, manifest, progress.show, stores)
    progress.clear()
    print_line(f"{_line(manifest)}: {manifest.rows:,} rows and {restored:,} media files restored and verified")
    return 0


def _place(address: str) -> "Place":
    if "://" in address:
        from storage.catalog.backup.s3_place import S3Place

        return S3Place(address)
    from storage.catalog.backup.folder_place import FolderPlace

    return FolderPlace(Path(address))


def _split(address: str) -> tuple[str, str]:
    """The address of a place, and the name of a backup at its end; "" for none."""
    from storage.catalog.backup.manifest import is_name

    start, _, end = address.rstrip("/").rpartition("/")
    return (start or ".", end) if is_name(end) else (address, "")


def _folders(settings: Settings, installation: str | None = None) -> "Mapping[str, FileStore]":
    """The file stores in the settings, by storage backend id. installation: of a catalogue to be restored."""
    from tams_server.wiring import open_file_stores

    folders = open_file_stores(settings, installation)
    if not folders and installation is None:
        raise Invalid("--media is for file stores, and the settings have none: replicate buckets by their own means")
    return folders


def _line(manifest: "Manifest") -> str:
    size = sum(file.size for file in manifest.files.values())
    media = "" if manifest.media is None else f", {manifest.media:,} media files"
    return f"{manifest.name}  {manifest.rows:,} rows, {size:,} bytes{media}"
