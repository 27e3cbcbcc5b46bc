"""/openapi.json and /docs, without credentials: the document in force, and a page to read and try it.

The page's assets are those of an installed package; nothing is fetched from elsewhere.
"""

import hashlib
import importlib.util
from pathlib import Path

import orjson
from starlette.types import Receive, Scope, Send

from tams_server.errors import MethodNotAllowed, NoSuchPath
from tams_server.http.exchange import exchange_of
from tams_server.specification.document import Json

_PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TAMS API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = b"""window.addEventListener("load", () => SwaggerUIBundle({
  url: "openapi.json", dom_id: "#page", deepLinking: true, docExpansion: "none", validatorUrl: null,
}));
"""
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src *"
)
_ASSETS = {
    "swagger-ui.css": b"text/css; charset=utf-8",
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "favicon-32x32.png": b"image/png",
}


class DocsPage:
    """The ASGI application for /openapi.json, /docs and /docs/..."""

    def __init__(self, document: Json) -> None:
        self._pages = {
            "/openapi.json": (orjson.dumps(document), b"application/json"),
            "/docs": (_PAGE, b"text/html; charset=utf-8"),
            "/docs/start.js": (_START, b"text/javascript; charset=utf-8"),
        }
        self._folder = _assets_folder()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 200 or 304. Raises NoSuchPath or MethodNotAllowed."""
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed("only GET and HEAD are possible here", headers={"Allow": "GET, HEAD"})
        path = exchange_of(scope).raw_path
        body, content_type = self._pages.get(path) or self._asset(path)
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'.encode()
        fresh = any(name == b"if-none-match" and etag in value for name, value in scope["headers"])
        headers = [
            (b"etag", etag),
            (b"cache-control", b"no-cache"),
            (b"content-security-policy", _POLICY),
            (b"x-content-type-options", b"nosniff"),
        ]
        if not fresh:
            headers += [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 304 if fresh else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if fresh else body})

    def _asset(self, path: str) -> tuple[bytes, bytes]:
        name = path.removeprefix("/docs/")
        if name not in _ASSETS:
            raise NoSuchPath(f"there is nothing at {path[:200]}")
        return (self._folder / name).read_bytes(), _ASSETS[name]


def _assets_folder() -> Path:
    """Where flask-swagger-ui keeps Swagger UI; the package is found without importing it."""
    spec = importlib.util.find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package flask-swagger-ui is not installed")
    return Path(spec.origin).parent / "dist"
