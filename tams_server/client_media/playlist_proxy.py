"""A proxy on this machine that lets players read playlists that need a credential.

It serves the playlists of one flow under an unguessable path, and adds the credential. Media are read from where the
playlists say, by URLs that carry their own permission.
"""

import base64
import re
import secrets
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx

_URI: Final = re.compile(r'URI="([^"]*)"')
_TYPE: Final = "application/vnd.apple.mpegurl"
_TIMEOUT_S: Final = 60


class PlaylistProxy:
    """Serves a playlist of a TAMS server. Use it as a context manager; `url` is for a player on this machine.

    base: URL of the TAMS server. path: of the playlist below it. params: of its query.
    """

    def __init__(self, base: str, credentials: httpx.Auth | None, path: str, params: Mapping[str, str]) -> None:
        self._base = base.rstrip("/")
        self._http = httpx.Client(auth=credentials, timeout=_TIMEOUT_S)
        self._secret = secrets.token_urlsafe(24)
        self.playlist = str(httpx.URL(f"{self._base}{path}", params=dict(params)))
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.answer(self)

            def log_message(self, *_: Any) -> None:
                """Players ask for a live playlist every few seconds."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where a player finds the playlist."""
        return f"http://127.0.0.1:{self._server.server_port}{self._local(self.playlist)}"

    def __enter__(self) -> "PlaylistProxy":
        threading.Thread(target=self._server.serve_forever, name="playlists", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()

    def check(self) -> None:
        """Fetch the playlist once. Raises httpx.HTTPStatusError and httpx.TransportError."""
        self._http.get(self.playlist).raise_for_status()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request of a player."""
        target = self._target(request.path)
        if target is None:
            request.send_error(404)
            return
        try:
            response = self._http.get(target)
        except httpx.TransportError:
            request.send_error(502)
            return
        body = self._rewritten(response).encode() if response.is_success else response.content
        request.send_response(response.status_code)
        request.send_header("Content-Type", _TYPE if response.is_success else "text/plain")
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Cache-Control", "no-store")
        request.end_headers()
        request.wfile.write(body)

    def _local(self, url: str) -> str:
        return f"/{self._secret}/{base64.urlsafe_b64encode(url.encode()).decode()}/output.m3u8"

    def _target(self, path: str) -> str | None:
        """The URL of the server that a path stands for; None for paths that this proxy has not made."""
        parts = urlsplit(path).path.split("/")
        if len(parts) != 4 or not secrets.compare_digest(parts[1].encode(), self._secret.encode()):
            return None
        try:
            url = base64.urlsafe_b64decode(parts[2]).decode()
        except ValueError:
            return None
        return url if self._is_playlist(url) else None

    def _is_playlist(self, url: str) -> bool:
        return url.startswith(f"{self._base}/") and urlsplit(url).path.endswith(".m3u8")

    def _rewritten(self, response: httpx.Response) -> str:
        """A playlist whose playlists are read through this proxy, and whose media have absolute URLs."""
        url = str(response.url)

        def place(reference: str) -> str:
            absolute = urljoin(url, reference)
            return self._local(absolute) if self._is_playlist(absolute) else absolute

        lines = []
        for line in response.text.splitlines():
            if line.startswith("#"):
                lines.append(_URI.sub(lambda found: f'URI="{place(found[1])}"', line))
            else:
                lines.append(place(line) if line.strip() else line)
        return "\n".join(lines) + "\n"
