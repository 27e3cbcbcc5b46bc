"""Routing of API requests to operations, by the raw path: an encoded slash (%2F) is part of a path parameter."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from tams_server.errors import MethodNotAllowed, NoSuchPath
from tams_server.http.exchange import exchange_of
from tams_server.http.parameters import percent_decode
from tams_server.specification.operations import Operation


@dataclass
class _Node:
    """One part of a path: the parts that may follow it, and the operations on the path that ends here, by method."""

    parts: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "tuple[str, _Node] | None" = None
    operations: dict[str, Operation] = field(default_factory=dict)


Match = tuple[_Node, dict[str, str]]
"""The end of a path in the table, and the path parameters, still encoded."""


class PathTable:
    """The paths of all operations, as a tree of their parts."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        self._longest_part = 0  # percent-encoded throughout; longer ones are not decoded
        for operation in operations:
            self._add(operation)

    def _add(self, operation: Operation) -> None:
        node = self._root
        for part in operation.path.split("/")[1:]:
            if part.startswith("{"):
                if node.parameter is None:
                    node.parameter = (part.strip("{}"), _Node())
                node = node.parameter[1]
            else:
                node = node.parts.setdefault(part, _Node())
                self._longest_part = max(self._longest_part, len("%00") * len(part))
        node.operations[operation.method] = operation

    def find(self, raw_path: str, method: str = "") -> Match | None:
        """Return the node of a percent-encoded path and its path parameters, still encoded; None if there is none.

        A path may match one with a parameter as well: `/objects/batch` is `/objects/{objectId}` too. Then the latter is
        found if it alone has the method.
        """
        first = None
        for match in self._matches(raw_path):
            if method in match[0].operations:
                return match
            first = first or match
        return first

    def _matches(self, raw_path: str) -> Iterator[Match]:
        return self._below(self._root, served_path(raw_path).split("/")[1:], {})

    def _below(self, node: _Node, parts: Sequence[str], parameters: dict[str, str]) -> Iterator[Match]:
        """Yield what these parts lead to from a node; fixed parts come before parameters."""
        for number, raw in enumerate(parts, 1):
            fixed = node.parts.get(raw)
            if fixed is None and "%" in raw and len(raw) <= self._longest_part:
                fixed = node.parts.get(percent_decode(raw) or raw)
            if fixed is not None and node.parameter is not None:
                yield from self._below(fixed, parts[number:], parameters)
                fixed = None
            if fixed is not None:
                node = fixed
            elif node.parameter is not None and raw:
                name, node = node.parameter
                parameters = {**parameters, name: raw}
            else:
                return
        if node.operations:
            yield node, parameters

    def find_empty_name(self, raw_path: str, method: str) -> Match | None:
        """Return what `find` does for a path that ends with an empty name, as that of the tag "": `/tags/`.

        Only for methods that the path without its final slash does not have, since that is served like without.
        """
        if not raw_path.endswith("/"):
            return None
        found = self.find(raw_path)
        if found is None or method in found[0].operations:
            return None
        node, parameters = found
        if node.parameter is None or method not in node.parameter[1].operations:
            return None
        name, node = node.parameter
        return node, {**parameters, name: ""}

    def allowed(self, raw_path: str) -> str | None:
        """Return the methods of a path as the Allow header lists them, or None if there is no such path."""
        methods = dict.fromkeys(method for node, _ in self._matches(raw_path) for method in node.operations)
        if not methods:
            return None
        heads = ["HEAD"] if "GET" in methods else []
        return ", ".join([*methods, *heads, "OPTIONS"])

    def no_operation_error(self, raw_path: str, method: str) -> NoSuchPath | MethodNotAllowed:
        """Return the error for a request that has no operation."""
        allowed = self.allowed(raw_path)
        if allowed is None:
            return NoSuchPath(f"the API has no path {raw_path[:200]}")
        return MethodNotAllowed(f"method {method} is not allowed here, only {allowed}", headers={"Allow": allowed})


def served_path(raw_path: str) -> str:
    """Return the path to serve, without a slash at its end or further ones at its beginning.

    NMOS clients ask for `/flows/`, and those that put a path after a base URL with a slash for `//flows`. An encoded
    slash (%2F) belongs to an id or name.
    """
    path = f"/{raw_path.lstrip('/')}" if raw_path.startswith("//") else raw_path
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


class OperationRouting:
    """Middleware that sets the operation of the exchange, or leaves it None if path and method match none.

    It sets a path that exists to the one that is served, so that links and errors repeat no needless slashes.
    """

    def __init__(self, app: ASGIApp, *, table: PathTable) -> None:
        self._app = app
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        method = scope["method"]
        empty_name = self._table.find_empty_name(exchange.raw_path, method)
        operation = "GET" if method == "HEAD" else method
        found = empty_name or self._table.find(exchange.raw_path, operation)
        if found is not None:
            node, exchange.raw_parameters = found
            if empty_name is None:
                exchange.raw_path = served_path(exchange.raw_path)
            exchange.operation = node.operations.get(operation)
            if exchange.operation is not None:
                exchange.label = exchange.operation.id
        await self._app(scope, receive, send)
