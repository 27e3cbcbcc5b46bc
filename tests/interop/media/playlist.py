"""HLS playlists made of the segments that a TAMS server lists, and an HTTP server that offers them to players."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from typing import Any

from ..demo.client import media_url
from ..demo.timeline import SECOND, parse_span


def media_playlist(segments: Sequence[Mapping[str, Any]]) -> str:
    """A playlist of these segments, which are all of the flow (RFC 8216). Each plays from its first get_url."""
    durations = [(span.end - span.start) / SECOND for span in (parse_span(each["timerange"]) for each in segments)]
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{ceil(max(durations))}"]
    lines += ["#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if "init_object" in segments[0]:
        lines.append(f'#EXT-X-MAP:URI="{media_url(segments[0]["init_object"])}"')
    for segment, duration in zip(segments, durations, strict=True):
        lines += [f"#EXTINF:{duration:.9f},", media_url(segment)]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


@contextmanager
def served(playlist: str) -> Iterator[str]:
    """Offer a playlist on a free port until the block ends, and yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = playlist.encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.apple.mpegurl")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/playlist.m3u8"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
