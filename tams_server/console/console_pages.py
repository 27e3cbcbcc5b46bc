"""Serves the console: its page, the files that the page loads, and what it must know to let people sign in."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from starlette.types import Scope

from storage.catalog.caller import Caller
from tams_server.console.console_settings import Origins
from tams_server.console.static_files import FOLDER, PAGE, StaticFile, accepted_codings, read_static_files
from tams_server.errors import NoSuchPath
from tams_server.http.exchange import exchange_of
from tams_server.pages.page import SECURITY_HEADERS, PageContent, WebPage

_UNCHANGING: Final = "public, max-age=31536000, immutable"
_NAMED_BY_CONTENT: Final = re.compile(r"-[0-9A-Za-z]{8}\.[a-z]+\Z")
_NOT_BUILT: Final = b"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>TAMS console: not built</title></head>
<body>
<h1>The console has not been built</h1>
<p>This server runs from a checkout in which the files of its console are missing. Run <code>make console</code> in the
checkout, then restart the server. An installed release brings them.</p>
<p>The interface itself works: see <a href="docs">its documentation</a>.</p>
</body>
</html>
"""


class ConsoleFiles:
    """The content of /console and of everything below it. Raises NoSuchPath for other paths.

    settings: the document of console/settings.json. origins: called with the first request for the page.
    folder: of the built files.
    """

    def __init__(self, settings: Mapping[str, Any], origins: Callable[[], Origins], folder: Path = FOLDER) -> None:
        self._files = read_static_files(folder)
        self._settings = orjson.dumps(settings)
        self._origins = origins
        self._policy: str | None = None

    async def render(self, scope: Scope) -> PageContent:
        """Return the content for a request."""
        exchange = exchange_of(scope)
        name = exchange.raw_path.removeprefix("/console").lstrip("/")
        if exchange.raw_path == "/console/":
            # Links of the page are relative to the server's base URL, which ends before "console".
            return PageContent(b"", "text/plain", {"location": "../console", "cache-control": "no-cache"}, status=308)
        if not name and not self._files:
            return PageContent(_NOT_BUILT, "text/html; charset=utf-8", status=503)
        if name == "settings.json":
            return self._settings_content(scope)
        file = self._files.get(name or PAGE)
        if file is None or name == PAGE:
            raise NoSuchPath(f"there is no page at {exchange.raw_path[:200]}")
        coding = file.choose(accepted_codings(exchange.headers.get(b"accept-encoding", b"")))
        return _content(scope, file, coding, self._headers(name))

    def _headers(self, name: str) -> dict[str, str]:
        unchanging = _NAMED_BY_CONTENT.search(name)
        headers = {"cache-control": _UNCHANGING if unchanging else "no-cache", "vary": "accept-encoding"}
        if not name:
            headers["content-security-policy"] = self._content_security_policy()
        return headers

    def _settings_content(self, scope: Scope) -> PageContent:
        etag = f'"{hashlib.sha256(self._settings).hexdigest()[:20]}"'
        headers = {"etag": etag, "cache-control": "no-cache"}
        return PageContent(self._settings, "application/json", headers, not_modified=_is_known(scope, etag))

    def _content_security_policy(self) -> str:
        if self._policy is None:
            origins = self._origins()
            media = " ".join(["'self'", *origins.media])
            # Players put media together themselves (blob:), in a worker that is made of their script.
            self._policy = (
                f"{SECURITY_HEADERS['content-security-policy']}; script-src 'self'; style-src 'self'; "
                f"img-src {media} blob: data:; media-src {media} blob:; worker-src 'self' blob:; "
                f"connect-src {' '.join([media, *origins.sign_in])}"
            )
        return self._policy


def session_page(find_caller: Callable[[Scope], Awaitable[Caller]]) -> WebPage:
    """The page that says who the caller is and which scopes it has. find_caller: authenticates a request, or raises."""

    async def render(scope: Scope) -> PageContent:
        caller = await find_caller(scope)
        document = {
            "name": caller.name,
            "scopes": sorted(caller.scopes),
            "groups": sorted(caller.groups),
            "restricted": caller.is_restricted,
        }
        return PageContent(orjson.dumps(document), "application/json")

    return WebPage(render)


def _content(scope: Scope, file: StaticFile, coding: str, headers: dict[str, str]) -> PageContent:
    etag = file.etags[coding]
    headers["etag"] = etag
    if coding:
        headers["content-encoding"] = coding
    return PageContent(file.bodies[coding], file.content_type, headers, not_modified=_is_known(scope, etag))


def _is_known(scope: Scope, etag: str) -> bool:
    return any(name == b"if-none-match" and etag.encode() in value for name, value in scope["headers"])
