"""The seam between backups and where they are kept: a folder, or a bucket."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path

from storage.catalog.backup.manifest import Manifest
from storage.errors import Invalid


class Place(ABC):
    """Keeps backups, each under its name. Every method may raise OSError or storage.errors.Unavailable.

    address: for messages. hard_links: whether files that are added can stay hard links.
    """

    address: str
    hard_links = False

    @abstractmethod
    def backups(self) -> list[Manifest]:
        """The manifests of all complete backups, in the order of their names. Others are left out."""

    @abstractmethod
    def damaged(self) -> list[str]:
        """The names of what was a complete backup once and has no valid manifest now, in order."""

    @abstractmethod
    def adding(self, installation: str) -> AbstractContextManager[Path]:
        """A folder in which to write a new backup of an installation. What is not published is removed afterwards.

        Also removes what interrupted backups of the installation have left behind. Raises Invalid if a backup of it is
        running.
        """

    @abstractmethod
    def publish(self, folder: Path, manifest: Manifest) -> None:
        """Make the backup in `folder`, from `adding`, durable and then complete."""

    @abstractmethod
    def path_of(self, manifest: Manifest) -> Path | None:
        """The folder of a complete backup; None if it is not on this machine."""

    @abstractmethod
    def reading(self, manifest: Manifest) -> AbstractContextManager[Path]:
        """A folder with the files of a complete backup."""

    @abstractmethod
    def remove(self, manifest: Manifest) -> None:
        """Remove a backup. Interrupted at any time, it is complete or is no backup any more."""


def find_backup(place: Place, name: str = "") -> Manifest:
    """The complete backup with this name, or the newest. Raises Invalid, also if the newest is damaged."""
    found = [manifest for manifest in place.backups() if name in ("", manifest.name)]
    damaged = [each for each in place.damaged() if name in ("", each)]
    if damaged and (not found or damaged[-1] > found[-1].name):
        raise Invalid(
            f"the backup {damaged[-1]} in {place.address} is damaged: its manifest is missing or not valid;"
            " to restore an earlier one, add its name to the path"
        )
    if not found:
        raise Invalid(f"there is no complete backup {f'{name} ' if name else ''}in {place.address}")
    if len({manifest.installation for manifest in found}) > 1:
        raise Invalid(f"{place.address} has backups of several installations: name the backup to restore")
    return found[-1]
