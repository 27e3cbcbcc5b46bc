"""POST /oauth2/token: tokens for clients that authenticate themselves (RFC 6749, section 4.4)."""

from collections.abc import Mapping
from typing import Final

import orjson
from starlette.types import Receive, Scope, Send

from storage.catalog.caller import Caller
from storage.catalog.clock import clock
from storage.catalog.credential import Credential
from tams_server.auth.own_tokens import IssuedToken, scope_text
from tams_server.auth.token_request import TokenError, TokenRequest, granted_scopes, read_token_request
from tams_server.errors import MethodNotAllowed, TooManyRequests
from tams_server.http.body_memory import BodyMemory
from tams_server.http.exchange import Exchange, exchange_of
from tams_server.http.request_bodies import read_body
from tams_server.http.serving_process import ServingProcess

PATH: Final = "/oauth2/token"
_MAX_BYTES: Final = 4 * 2**10
_NEVER_STORED: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),
)
_CHALLENGE: Final = (b"www-authenticate", b'Basic realm="TAMS", charset="UTF-8"')


class TokenEndpoint:
    """The ASGI application of the path."""

    def __init__(self, process: ServingProcess) -> None:
        self._process = process
        self._memory = BodyMemory(_MAX_BYTES)  # so small a body is not counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with a token, or with an error of RFC 6749.

        Raises MethodNotAllowed, TooManyRequests, TooLarge, TooSlow, ClientDisconnected or storage.errors.Unavailable.
        """
        if scope["method"] != "POST":
            raise MethodNotAllowed(
                f"method {scope['method']} is not allowed here, only POST", headers={"Allow": "POST, OPTIONS"}
            )
        exchange, process = exchange_of(scope), self._process
        address = process.address(scope)
        if process.request_limits.limit_addresses:
            process.request_limits.check_address(exchange, address)
        with self._memory.share() as share:
            body = bytes(await read_body(exchange.headers, receive, _MAX_BYTES, share=share))
        try:
            issued = await process.in_thread(self._issue, exchange, body, address)
        except TokenError as error:
            if error.code == "invalid_client":
                exchange.failed_login = {"principal": error.client_id, "reason": error.reason}
            await _respond_with_error(send, error)
            return
        document = {
            "access_token": issued.token,
            "token_type": "Bearer",
            "expires_in": issued.lifetime_s,
            "scope": scope_text(issued.scopes),
        }
        await _respond(send, 200, document)

    def _issue(self, exchange: Exchange, body: bytes, address: str) -> IssuedToken:
        """Return a new token. Raises TokenError, TooManyRequests or storage.errors.Unavailable."""
        authorization = exchange.headers.get(b"authorization")
        request = read_token_request(
            None if authorization is None else authorization.decode("latin-1"),
            exchange.headers.get(b"content-type", b"").decode("latin-1"),
            exchange.query_string,
            body,
        )
        client = self._client(request, exchange, address)
        exchange.caller = Caller(client.name, client.scopes, client.groups)
        return self._process.own_tokens.issue(client, granted_scopes(request, client), exchange.base_url)

    def _client(self, request: TokenRequest, exchange: Exchange, address: str) -> Credential:
        """Return the client, whose secret is right. Counts those that are wrong.

        A right secret is accepted whatever others have tried: it cannot be guessed, and comparing it costs little.
        """
        backoff, now = self._process.login_backoff, clock()
        client_id = request.credentials[0][0]
        key = f"client:{client_id}"
        reason = "unknown"
        for name, secret in request.credentials:
            client = self._process.parts.catalog.credentials.by_client(name) if "\0" not in name else None
            if client is None:
                continue
            state = client.state(now)
            if state == "active" and client.has_secret(secret, now):
                backoff.record(key, address, success=True)
                return client
            reason = "wrong secret" if state == "active" else state
        try:
            backoff.check(key, address)
        except TooManyRequests:
            exchange.failed_login = {"principal": client_id, "reason": "back-off"}
            raise
        backoff.record(key, address, success=False)
        raise TokenError(
            "invalid_client",
            "the client is unknown, expired or revoked",
            reason=reason,
            client_id=client_id,
            in_header=request.in_header,
        )


async def _respond_with_error(send: Send, error: TokenError) -> None:
    document = {"error": error.code, "error_description": str(error)}
    if error.in_header:  # otherwise a browser would ask for a password, and send it by itself from then on
        await _respond(send, 401, document, _CHALLENGE)
    else:
        await _respond(send, 400, document)


async def _respond(send: Send, status: int, document: Mapping[str, object], *headers: tuple[bytes, bytes]) -> None:
    body = orjson.dumps(document)
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*_NEVER_STORED, length, *headers]})
    await send({"type": "http.response.body", "body": body})
