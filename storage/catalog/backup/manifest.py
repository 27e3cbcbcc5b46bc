"""The manifest of a backup: what it is a backup of, and the size and checksum of every file in it.

A backup is complete if it has a manifest, which is written last. Names of backups sort by time.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from storage.catalog.clock import SECOND
from storage.errors import Invalid

MANIFEST = "manifest.json"
CATALOGUE = "catalogue"
"""Folder in a backup that holds an export (storage.tables.transfer)."""

Progress = Callable[[str, int], None]
"""Called with what is being done, and how many items of it are done."""

_FORMAT = "tams-server backup 1"
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class File:
    """A file in a backup. size: in bytes. sha256: in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself.

    name: of its folder. installation: id of the installation (storage.catalog.service.Identity). created: when, in
    microseconds since 1970. version: of the software. rows: in the whole catalogue. media: the number of media files,
    None for a backup of the catalogue alone. files: by path in the backup, without the manifest and the media.
    """

    name: str
    installation: str
    created: int
    version: str
    rows: int
    media: int | None
    files: dict[str, File]

    def to_json(self) -> bytes:
        document = {"format": _FORMAT, **asdict(self)}
        return (json.dumps(document, indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Manifest":
        """Raises Invalid for a text that `to_json` has not made."""
        try:
            document: dict[str, Any] = json.loads(text)
            if document.pop("format") != _FORMAT or not is_name(document["name"]):
                raise ValueError("it has another format")
            files = {path: File(int(file["size"]), str(file["sha256"])) for path, file in document["files"].items()}
            if not all(map(is_safe, files)):
                raise ValueError("it names a file outside the backup")
            return cls(**{**document, "files": files})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Invalid(f"{MANIFEST} is not that of a backup which this release can read: {error}") from error


def backup_name(created: int, installation: str) -> str:
    """The name of a backup. created: microseconds since 1970."""
    moment = datetime.fromtimestamp(created // SECOND, UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{created % SECOND:06}Z-{name_suffix(installation)}"


def name_suffix(installation: str) -> str:
    """The end of the names of all backups of an installation, and of few others."""
    return hashlib.sha256(installation.encode()).hexdigest()[:8]


def is_name(text: Any) -> bool:
    """Whether this may be the name of a backup."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def describe(folder: Path, paths: Iterable[str]) -> dict[str, File]:
    """The sizes and checksums of files in `folder`, by path."""
    return {path: File((folder / path).stat().st_size, digest(folder / path)) for path in paths}


def verify(folder: Path, manifest: Manifest, progress: Progress) -> None:
    """Raise Invalid unless every file of the manifest is in `folder`, as it was when it was written."""
    for number, (path, file) in enumerate(sorted(manifest.files.items()), 1):
        verify_file(folder / path, file)
        progress("files verified", number)


def verify_file(path: Path, expected: File) -> None:
    """Raise Invalid unless the file is as described."""
    try:
        intact = path.stat().st_size == expected.size and digest(path) == expected.sha256
    except FileNotFoundError:
        raise Invalid(f"the backup is damaged: {path} is missing") from None
    if not intact:
        raise Invalid(f"the backup is damaged: {path} has changed since it was written")


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def is_safe(path: str) -> bool:
    """Whether a path is one within the backup."""
    return not path.startswith("/") and ".." not in path.split("/")
