"""The hls.js that tests of playlists use: `python -m tests.browser.hls_js` fetches it from npm."""

from typing import Final

from tests.servers.npm_package import NpmPackage

HLS_JS: Final = NpmPackage("hls.js", "1.7.4", "e4ab3d5d13f7cca9ef241d098f39686e19fd451831ba07dc9943482fd5ff75c7")

if __name__ == "__main__":
    print(f"hls.js {HLS_JS.version} is in {HLS_JS.fetch()}")
