"""The OpenAPI document in force, and Swagger UI to read and try it.

The assets of Swagger UI come from an installed package; the page loads nothing from other sites.
"""

import hashlib
import importlib.util
from pathlib import Path

import orjson
from starlette.types import Scope

from tams_server.errors import NoSuchPath
from tams_server.http.exchange import exchange_of
from tams_server.pages.docs_login import CodeFlow, oauth_options, with_logins
from tams_server.pages.page import SECURITY_HEADERS, PageContent, WebPage
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
_START_SCRIPT = """window.addEventListener("load", () => {
  const ui = SwaggerUIBundle({
    url: "openapi.json", dom_id: "#page", deepLinking: true, docExpansion: "none", validatorUrl: null,
    oauth2RedirectUrl: new URL("docs/oauth2-redirect.html", window.location.href).href,
  });
  const oauth = %s;
  if (oauth) ui.initOAuth(oauth);
});
"""
_REDIRECT_PAGE = "/docs/oauth2-redirect.html"
_ASSET_TYPES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
    "oauth2-redirect.html": "text/html; charset=utf-8",
    "oauth2-redirect.js": "text/javascript; charset=utf-8",
}


def docs_page(document: Json, token_path: str, code_flow: CodeFlow | None = None) -> WebPage:
    """The page for /openapi.json, /docs and everything below /docs/. Raises NoSuchPath for any other path.

    document: the OpenAPI document in force. token_path: of the token endpoint. code_flow: for people to log in.
    """
    script = _START_SCRIPT % orjson.dumps(oauth_options(code_flow)).decode()
    files = {
        "/openapi.json": (orjson.dumps(with_logins(document, token_path, code_flow)), "application/json"),
        "/docs": (_PAGE, "text/html; charset=utf-8"),
        "/docs/start.js": (script.encode(), "text/javascript; charset=utf-8"),
    }
    folder = _assets_folder()
    policy = _content_security_policy(code_flow)

    async def render(scope: Scope) -> PageContent:
        path = exchange_of(scope).raw_path
        body, content_type = files.get(path) or _asset(folder, path)
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        headers = {
            "etag": etag,
            "cache-control": "no-cache",
            "content-security-policy": policy,
        }
        if code_flow is not None:
            # The window in which people log in must be able to tell this one that they have.
            is_redirect = path == _REDIRECT_PAGE
            headers["cross-origin-opener-policy"] = "unsafe-none" if is_redirect else "same-origin-allow-popups"
        known = any(name == b"if-none-match" and etag.encode() in value for name, value in scope["headers"])
        return PageContent(body, content_type, headers, not_modified=known)

    return WebPage(render)


def _content_security_policy(code_flow: CodeFlow | None) -> str:
    origins = " ".join(["'self'", *([] if code_flow is None else code_flow.allowed_origins)])
    return (
        f"{SECURITY_HEADERS['content-security-policy']}; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data:; connect-src {origins}"
    )


def _asset(folder: Path, path: str) -> tuple[bytes, str]:
    name = path.removeprefix("/docs/")
    if name not in _ASSET_TYPES:
        raise NoSuchPath(f"there is no page at {path[:200]}")
    return (folder / name).read_bytes(), _ASSET_TYPES[name]


def _assets_folder() -> Path:
    """Return the folder of Swagger UI in flask-swagger-ui, without importing that package."""
    spec = importlib.util.find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package flask-swagger-ui is not installed")
    return Path(spec.origin).parent / "dist"
