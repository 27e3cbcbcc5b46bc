"""The players that tests of playlists use: `python -m tests.browser.players` fetches them from npm."""

from pathlib import Path
from typing import Final

from tests.servers.npm_package import NpmPackage

HLS_JS: Final = NpmPackage("hls.js", "1.7.4", "e4ab3d5d13f7cca9ef241d098f39686e19fd451831ba07dc9943482fd5ff75c7")
DASH_JS: Final = NpmPackage("dashjs", "5.2.1", "4eacb0cc3525276666ca3f084611cdabb5a2264d128dfe0750fe106fbddd088f")
SHAKA: Final = NpmPackage("shaka-player", "5.2.12", "0c09816ea0b1399434bb6423b6a955f22e75b1886e4d394934ec73b9b38e3018")

SCRIPTS: Final = {
    "hls": HLS_JS.folder / "dist" / "hls.min.js",
    "dash": DASH_JS.folder / "dist" / "modern" / "umd" / "dash.all.min.js",
    "shaka": SHAKA.folder / "dist" / "shaka-player.compiled-es2021.js",
}
"""The script of each player, by the name that player.js has for it."""


def missing() -> list[Path]:
    """The scripts that have not been fetched."""
    return [path for path in SCRIPTS.values() if not path.exists()]


if __name__ == "__main__":
    for package in (HLS_JS, DASH_JS, SHAKA):
        print(f"{package.name} {package.version} is in {package.fetch()}")
