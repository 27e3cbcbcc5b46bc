"""The operations of the document, compiled at start for fast use by every request."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tams_server.specification.document import METHODS, Json, SpecificationError
from tams_server.specification.members import declared_members
from tams_server.specification.validators import SchemaValidators, Validator

Kind = Literal["string", "integer", "boolean", "list"]

LIST_MARK = "x-comma-separated"
"""Extension of a query parameter that is a list, whose items are separated by commas, plain or percent-encoded. "ids":
no item contains a comma; "texts": text with encoded commas is an item as a whole too."""
SCOPE_MARK = "x-scopes"
"""Extension of an operation: space-separated scopes, any one of which grants access."""


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A declared query parameter.

    key: the name by which handlers read it. prefix: for a templated name such as `tag.{name}`, the part before the
    brace ("tag."; the key is then "tag"); otherwise None.
    """

    name: str
    key: str
    kind: Kind
    validator: Validator
    prefix: str | None = None
    has_commas_in_items: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """The declared request body of an operation.

    validators: by lower-case media type. members: the names declared for objects; all others are dropped (A21).
    """

    required: bool
    validators: Mapping[str, Validator]
    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DeclaredResponse:
    """The declared response for one status. body: None if no JSON body is declared. headers: by lower-case name."""

    body: Validator | None
    headers: Mapping[str, tuple[Kind, Validator]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A declared operation. query: by name; templated: the query parameters with a templated name."""

    id: str
    method: str
    path: str
    tag: str
    scopes: frozenset[str]
    path_parameters: Mapping[str, Validator]
    query: Mapping[str, QueryParameter]
    templated: tuple[QueryParameter, ...]
    body: Body | None
    responses: Mapping[str, DeclaredResponse]


def read_operations(document: Json) -> list[Operation]:
    """Compile every operation except HEAD, which is served as GET without a body. Raises SpecificationError."""
    reader = _Reader(document)
    return [reader.operation(path, method, item[method]) for path, method, item in _each(document) if method != "head"]


def read_webhooks(document: Json) -> dict[str, Validator]:
    """Compile the validator of each webhook message, by event type. Raises SpecificationError."""
    reader = _Reader(document)
    return {name: reader.message(name, item["post"]) for name, item in document.get("webhooks", {}).items()}


def _each(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item


class _Reader:
    def __init__(self, document: Json) -> None:
        self._document = document
        self._validator = SchemaValidators(document).validator

    def operation(self, path: str, method: str, source: Json) -> Operation:
        """Compile one operation. Raises SpecificationError that names the operation."""
        try:
            return self._operation(path, method, source)
        except KeyError as error:
            raise SpecificationError(f"{method.upper()} {path}: {error} is missing") from error
        except ValueError as error:
            raise SpecificationError(f"{method.upper()} {path}: {error}") from error

    def message(self, name: str, source: Json) -> Validator:
        """Compile the message of one event type. Raises SpecificationError that names the event type."""
        try:
            return self._validator(source["requestBody"]["content"]["application/json"]["schema"])
        except (KeyError, ValueError) as error:
            raise SpecificationError(f"webhook {name}: {error}") from error

    def _operation(self, path: str, method: str, source: Json) -> Operation:
        parameters = source.get("parameters", [])
        query = [self._query(p) for p in parameters if p["in"] == "query"]
        return Operation(
            id=source["operationId"],
            method=method.upper(),
            path=path,
            tag=source["tags"][0],
            scopes=frozenset(source[SCOPE_MARK].split()),
            path_parameters={p["name"]: self._validator(p["schema"]) for p in parameters if p["in"] == "path"},
            query={p.name: p for p in query if p.prefix is None},
            templated=tuple(p for p in query if p.prefix is not None),
            body=self._body(source.get("requestBody")),
            responses={str(status): self._response(r) for status, r in source.get("responses", {}).items()},
        )

    def _query(self, source: Json) -> QueryParameter:
        name, schema = source["name"], source["schema"]
        templated = re.fullmatch(r"(.+\.)\{\w+\}", name)
        prefix = templated[1] if templated else None
        commas = source.get(LIST_MARK)
        return QueryParameter(
            name=name,
            key=prefix.rstrip(".") if prefix else name,
            kind="list" if commas else self._kind(schema),
            validator=self._validator(schema),
            prefix=prefix,
            has_commas_in_items=commas == "texts",
        )

    def _body(self, source: Json | None) -> Body | None:
        if source is None:
            return None
        content = source["content"].items()
        by_type = {media.lower(): self._validator(part.get("schema", {})) for media, part in content}
        schemas = self._document["components"]["schemas"]
        members = (declared_members(part.get("schema", {}), schemas) for _, part in content)
        return Body(bool(source.get("required")), by_type, frozenset().union(*members))

    def _response(self, source: Json) -> DeclaredResponse:
        content: Json = source.get("content", {})
        body = next((part for media, part in content.items() if media.lower().endswith("json")), None)
        schemas = {name.lower(): header.get("schema", {}) for name, header in source.get("headers", {}).items()}
        return DeclaredResponse(
            body=self._validator(body.get("schema", {})) if body is not None else None,
            headers={name: (self._kind(schema), self._validator(schema)) for name, schema in schemas.items()},
        )

    def _kind(self, schema: Json) -> Kind:
        while "$ref" in schema and "type" not in schema:
            schema = self._document["components"]["schemas"][schema["$ref"].removeprefix("#/components/schemas/")]
        kind = schema.get("type")
        return kind if kind in ("integer", "boolean") else "string"
