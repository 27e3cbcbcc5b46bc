"""Credentials for a TAMS server: a bearer token, a name with a password, or OAuth 2 client credentials.

Each is an `httpx.Auth`, so that both clients take it. None shows its secret in its repr.
"""

import base64
import time
from collections.abc import Generator
from typing import TypeAlias

import httpx

from tams_server.client.errors import ClientError, api_error

Credentials: TypeAlias = httpx.Auth
_EARLY_S = 30
"""A token is replaced so long before it expires."""
_DEFAULT_LIFETIME_S = 300
"""Of a token whose issuer does not state it."""


class Token(httpx.Auth):
    """A bearer token (RFC 6750). Raises ClientError for one that no header can hold, without showing it."""

    def __init__(self, token: str) -> None:
        if token != token.strip() or not token.isprintable():
            raise ClientError("a token must not hold line breaks, or spaces around it")
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


class Basic(httpx.Auth):
    """A name and a password (RFC 7617), in UTF-8."""

    def __init__(self, user: str, password: str) -> None:
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._header = f"Basic {encoded}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


class ClientCredentials(httpx.Auth):
    """OAuth 2 client credentials (RFC 6749, 4.4): fetches a token, and another before it expires or after a 401.

    token_url: of the issuer. scope: space-separated, or "" for the issuer's default. Requests raise
    `errors.ApiError` if the issuer gives no token.
    """

    requires_response_body = True

    def __init__(self, token_url: str, client_id: str, client_secret: str, scope: str = "") -> None:
        self._token_url = token_url
        self._issuer = Basic(client_id, client_secret)
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._token = ""
        self._valid_until = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        is_new = time.monotonic() >= self._valid_until
        if is_new:
            yield from self._fetch()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401 and not is_new:
            yield from self._fetch()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _fetch(self) -> Generator[httpx.Request, httpx.Response, None]:
        request = httpx.Request("POST", self._token_url, data=self._form, headers={"Accept": "application/json"})
        issuing = self._issuer.auth_flow(request)
        response = yield next(issuing)
        document = response.json() if response.is_success else {}
        if not isinstance(document, dict) or not isinstance(document.get("access_token"), str):
            raise api_error(response)
        self._token = document["access_token"]
        lifetime = document.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, int | float | str) else _DEFAULT_LIFETIME_S
        self._valid_until = time.monotonic() + max(seconds - _EARLY_S, seconds / 2)
