"""Routing by path between the applications of this server: the pages, the media plane and the API."""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from tams_server.http.exchange import exchange_of


@dataclass(frozen=True, slots=True)
class Route:
    """An application and its path below the base path of the server. A path that ends in "/" is a prefix.

    label: what its requests are counted under in metrics.
    """

    path: str
    label: str
    app: ASGIApp


class PathRouter:
    """The ASGI application that passes each request to the route of its path, or to `default` if there is none.

    Paths are compared as the client sent them, percent-encoded. `default` labels its requests itself.
    """

    def __init__(self, routes: Iterable[Route], default: ASGIApp) -> None:
        routes = tuple(routes)
        self._exact = {route.path: route for route in routes if not route.path.endswith("/")}
        self._prefixes = tuple(route for route in routes if route.path.endswith("/"))
        self._default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        route = self._find(exchange.raw_path)
        if route is None:
            await self._default(scope, receive, send)
        else:
            exchange.label = route.label
            await route.app(scope, receive, send)

    def _find(self, path: str) -> Route | None:
        return self._exact.get(path) or next((each for each in self._prefixes if path.startswith(each.path)), None)
