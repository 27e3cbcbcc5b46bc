"""A player in a page, and what it shows: the numbers of the pictures, and their times."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Page

from tests.interop.demo import pattern
from tests.interop.media import numbered

from .waiting import wait_until

_HTML = b"""<!doctype html><html lang="en"><title>Player</title><link rel="icon" href="data:,">
<video muted></video><script src="player.js"></script></html>"""
Kind = Literal["hls", "dash", "shaka"]
"""hls.js, dash.js or Shaka Player."""
_SCRIPT: Final = Path(__file__).with_name("player.js")


@dataclass(frozen=True, slots=True)
class Squares:
    """Where pictures show their number: two rows of 16 squares, of this size in pixels."""

    left: int
    top: int
    width: int
    height: int


NUMBERED: Final = Squares(0, 0, numbered.WIDTH // 16, numbered.HEIGHT // 2)
PATTERN: Final = Squares((pattern.WIDTH - 1024) // 2, 528, 64, 64)


@dataclass(frozen=True, slots=True)
class Record:
    """What a player has shown until now.

    frames: number and time in seconds of each picture. Browsers leave pictures out when they have no time for them.
    duration: in seconds, as the player says it.
    fragments, firstNumbers: of hls.js alone.
    fragments: of each segment in the buffer its type, its numbers `sn` and `cc`, and the times of its streams.
    firstNumbers: of the first segment in each version of the playlist.
    audioBytes: how much coded sound was decoded.
    """

    frames: Sequence[tuple[int | None, float]]
    fragments: Sequence[dict[str, Any]]
    errors: Sequence[dict[str, Any]]
    firstNumbers: Sequence[int]
    ended: bool
    duration: float | None
    audioBytes: int

    @property
    def times(self) -> dict[int, float]:
        """The time of each picture by its number. Raises AssertionError if one was shown at two times, or had none."""
        found = {number: time for number, time in self.frames if number is not None}
        assert len(found) == len({tuple(each) for each in self.frames}) > 0, self.frames
        return found

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Errors that end playback, and requests that failed. Others are remarks about holes in the buffer."""
        return [each for each in self.errors if each["fatal"] or each["type"] == "networkError"]


@dataclass(slots=True)
class Player:
    """A page with a player, which is not of the origin of the server: what it loads needs CORS."""

    page: Page
    site: str
    kind: Kind = "hls"

    def start(self, url: str, token: str, squares: Squares, speed: float = 1) -> None:
        """Load a playlist and play it. token: for requests to the origin of the playlist. speed: 1 is real time."""
        self.page.goto(self.site)
        self.page.evaluate("parts => startPlayer(...parts)", [self.kind, url, token, asdict(squares), speed])

    def record(self) -> Record:
        """What has been shown until now."""
        return Record(**self.page.evaluate("() => player.record"))

    def play_to_the_end(self, url: str, token: str, squares: Squares, speed: float = 1) -> Record:
        """Play a playlist until it ends. Raises AssertionError if that does not happen, and for its errors."""
        self.start(url, token, squares, speed)
        wait_until(lambda: self.record().ended or bool(self.record().failures), self.page, 30)
        record = self.record()
        assert not record.failures, record.failures
        return record

    def seek(self, time: float) -> tuple[int | None, float]:
        """Show the picture at a time in seconds. Returns its number and its time."""
        number, shown_at = self.page.evaluate("time => player.seek(time)", time)
        return number, shown_at


@contextmanager
def served_player(scripts: Mapping[str, Path]) -> Iterator[str]:
    """Offer the page on a free port of its own until the block ends, and yield its URL.

    scripts: of players, by kind.
    """
    files = {
        "/": (_HTML, "text/html"),
        "/player.js": (_SCRIPT.read_bytes(), "text/javascript"),
        **{f"/{kind}.js": (path.read_bytes(), "text/javascript") for kind, path in scripts.items()},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, type_ = files.get(self.path, (b"", "text/plain"))
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", type_)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
