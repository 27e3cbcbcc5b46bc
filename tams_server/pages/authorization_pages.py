"""What clients and other servers must know to use tokens of this server: metadata (RFC 8414) and public keys."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from starlette.types import Scope

from tams_server.http.exchange import exchange_of
from tams_server.pages.page import PageContent, WebPage

METADATA_PATHS: Final = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
"""Servers that verify tokens mostly look at the second one, though this is no OpenID provider."""
KEYS_PATH: Final = "/.well-known/jwks.json"
_CACHED: Final = {"cache-control": "public, max-age=60"}
_NOT_CACHED: Final = {"cache-control": "no-store"}


def metadata_page(token_path: str, scopes: list[str], *, fixed_url: bool) -> WebPage:
    """The metadata of the authorisation server. scopes: those that clients can ask for.

    fixed_url: whether the URL of the server is a setting. Otherwise it is that of each request, and nobody may get what
    another one's Host header has led to.
    """
    caching = _CACHED if fixed_url else _NOT_CACHED

    async def render(scope: Scope) -> PageContent:
        base_url = exchange_of(scope).base_url
        document = {
            "issuer": base_url,
            "token_endpoint": base_url + token_path,
            "jwks_uri": base_url + KEYS_PATH,
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": scopes,
            "service_documentation": base_url + "/docs",
        }
        return PageContent(orjson.dumps(document), "application/json", dict(caching))

    return WebPage(render)


def keys_page(read: Callable[[], Awaitable[list[dict[str, Any]]]]) -> WebPage:
    """The public keys as a JSON Web Key Set. read: returns them."""

    async def render(_scope: Scope) -> PageContent:
        return PageContent(orjson.dumps({"keys": await read()}), "application/jwk-set+json", dict(_CACHED))

    return WebPage(render)
