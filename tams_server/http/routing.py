"""Finds the operation of a request by its raw path, so that an encoded slash stays inside its part (T31)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from connexion.middleware.abstract import AbstractRoutingAPI, SpecMiddleware
from connexion.operations import AbstractOperation
from connexion.spec import Specification
from starlette.types import ASGIApp, Receive, Scope, Send

from tams_server.errors import MethodNotAllowed, NoSuchPath
from tams_server.http.exchange import exchange_of
from tams_server.http.parameters import decoded
from tams_server.specification.operations import Operation


@dataclass
class _Node:
    """One part of a path: what may follow it, and what can be done there."""

    parts: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "tuple[str, _Node] | None" = None
    operations: dict[str, Operation] = field(default_factory=dict)

    @cached_property
    def allowed(self) -> str:
        """The value of Allow."""
        heads = ["HEAD"] if "GET" in self.operations else []
        return ", ".join([*self.operations, *heads, "OPTIONS"])


class PathTable:
    """All paths of the document, part by part."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, operation: Operation) -> None:
        node = self._root
        for part in operation.path.split("/")[1:]:
            if part.startswith("{"):
                if node.parameter is None:
                    node.parameter = (part.strip("{}"), _Node())
                node = node.parameter[1]
            else:
                node = node.parts.setdefault(part, _Node())
        node.operations[operation.method] = operation

    def find(self, raw_path: str) -> tuple[_Node, dict[str, str]] | None:
        """What is at a percent-encoded path, and its parameters as they stand there; None where nothing is."""
        node, parameters = self._root, {}
        for raw in raw_path.split("/")[1:]:
            known = node.parts.get(raw) or node.parts.get(decoded(raw) or raw)
            if known is not None:
                node = known
            elif node.parameter is not None and raw:
                name, node = node.parameter
                parameters[name] = raw
            else:
                return None
        return (node, parameters) if node.operations else None

    def allowed(self, raw_path: str) -> str | None:
        """The methods at a path as Allow lists them, or None where nothing is there."""
        found = self.find(raw_path)
        return found[0].allowed if found else None

    def refusal(self, raw_path: str, method: str) -> NoSuchPath | MethodNotAllowed:
        """Why a request has no operation."""
        allowed = self.allowed(raw_path)
        if allowed is None:
            return NoSuchPath(f"there is nothing at {raw_path[:200]}")
        return MethodNotAllowed(f"{method} is not possible here, only {allowed}", headers={"Allow": allowed})


class Routing(SpecMiddleware):
    """Connexion middleware: sets the operation of the exchange, or leaves it None where nothing matches."""

    def __init__(self, app: ASGIApp, *, table: PathTable, operations: Mapping[str, Operation]) -> None:
        self._app = app
        self._table = table
        self._operations = operations

    def add_api(self, specification: Specification, **kwargs: Any) -> "_RoutingAPI":
        return _RoutingAPI(specification, table=self._table, by_id=self._operations, **kwargs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        found = self._table.find(exchange.raw_path)
        if found is not None:
            node, exchange.raw_parameters = found
            exchange.operation = node.operations.get("GET" if scope["method"] == "HEAD" else scope["method"])
            if exchange.operation is not None:
                exchange.label = exchange.operation.id
        await self._app(scope, receive, send)


class _RoutingAPI(AbstractRoutingAPI[Operation]):
    """Fills the table from the operations that Connexion reads in its view of the document."""

    def __init__(self, *args: Any, table: PathTable, by_id: Mapping[str, Operation], **kwargs: Any) -> None:
        self._table = table
        self._by_id = by_id
        super().__init__(*args, **kwargs)

    def make_operation(self, operation: AbstractOperation) -> Operation:
        return self._by_id[operation.operation_id]

    @staticmethod
    def _framework_path_and_name(operation: AbstractOperation, path: str) -> tuple[str, str]:
        return path, path

    def _add_operation_internal(self, method: str, path: str, operation: Operation, name: str | None = None) -> None:
        self._table.add(operation)
