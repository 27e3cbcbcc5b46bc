"""The files of the console as its build leaves them, each also compressed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "static"
"""Made by web/build.py; a release brings it."""
PAGE: Final = "index.html"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_CODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""The suffix of the file in each content coding, the best first."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file in memory. bodies: by content coding, the best first; "" is the file as it is. etags: of the same."""

    content_type: str
    bodies: Mapping[str, bytes]
    etags: Mapping[str, str]

    def choose(self, accepted: frozenset[str]) -> str:
        """Return the best content coding among those that a client accepts."""
        return next((coding for coding in self.bodies if coding in accepted), "")


def read_static_files(folder: Path) -> dict[str, StaticFile]:
    """Return all files of the console by name; none if it has not been built."""
    if not (folder / PAGE).is_file():
        return {}
    return {path.name: _read(path) for path in sorted(folder.iterdir()) if path.suffix in _TYPES}


def accepted_codings(header: bytes) -> frozenset[str]:
    """Return the content codings that an Accept-Encoding header accepts by name (RFC 9110, section 12.5.3)."""
    found = set()
    for item in header.decode("latin-1").lower().split(","):
        name, _, weight = item.partition(";")
        if weight.replace(" ", "").rstrip("0") not in ("q=", "q=0."):
            found.add(name.strip())
    return frozenset(found)


def _read(path: Path) -> StaticFile:
    body = path.read_bytes()
    bodies = {}
    for coding, suffix in _CODINGS.items():
        compressed = path.with_name(path.name + suffix)
        if compressed.is_file():
            bodies[coding] = compressed.read_bytes()
    bodies[""] = body
    digest = hashlib.sha256(body).hexdigest()[:20]
    etags = {coding: f'"{digest}-{coding}"' if coding else f'"{digest}"' for coding in bodies}
    return StaticFile(_TYPES[path.suffix], bodies, etags)
