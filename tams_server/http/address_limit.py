"""The rate limit of an address on what is outside the API."""

from starlette.types import ASGIApp, Receive, Scope, Send

from tams_server.http.exchange import exchange_of
from tams_server.http.serving_process import ServingProcess


def limited_by_address(app: ASGIApp, process: ServingProcess) -> ASGIApp:
    """Return the application with each of its requests counted for the client's address, if a setting limits these.

    It raises TooManyRequests where there are too many.
    """
    limits = process.request_limits
    if not limits.limit_addresses:
        return app

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        limits.check_address(exchange, process.address(scope))
        await app(scope, receive, send)

    return limited
