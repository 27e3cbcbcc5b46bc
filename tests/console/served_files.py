"""A console of a few small files, and its responses without a server."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import httpx

from tams_server.console.console_pages import ConsoleFiles
from tams_server.console.console_settings import Origins
from tams_server.http.exchange import Exchange, start_exchange
from tams_server.pages.page import WebPage

SCRIPT = b"console.log('a script that is long enough to be worth it');" * 20
NO_ORIGINS = Origins()


def write_files(folder: Path) -> None:
    """Write a page, a script with its compressed copies, and licences."""
    (folder / "index.html").write_bytes(b"<!doctype html><title>x</title>")
    (folder / "main-0A1B2C3D.js").write_bytes(SCRIPT)
    (folder / "main-0A1B2C3D.js.gz").write_bytes(gzip.compress(SCRIPT))
    (folder / "main-0A1B2C3D.js.br").write_bytes(b"in brotli")
    (folder / "licences.txt").write_bytes(b"licences")
    (folder / "sources.sha256").write_bytes(b"0")


def console_files(folder: Path, origins: Origins = NO_ORIGINS) -> ConsoleFiles:
    return ConsoleFiles({"api_version": "8.2"}, lambda: origins, folder)


def get(files: ConsoleFiles, path: str, **headers: str) -> httpx.Response:
    """Return the response to a GET, or raise what the page raises. headers: with "_" for "-"."""
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": sent}
    start_exchange(scope, Exchange("1", path, "", headers=dict(sent)))
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        raise AssertionError("no body is expected")

    asyncio.run(WebPage(files.render)(scope, receive, send))
    # Not through httpx.Response(content=...), which would decode the body.
    response = httpx.Response(messages[0]["status"], headers=messages[0]["headers"])
    response._content = messages[1]["body"]
    return response
