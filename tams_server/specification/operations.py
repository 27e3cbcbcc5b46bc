"""Operations of the document in the form that requests are served by: compiled once, read on every request."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tams_server.specification.document import METHODS, Json, SpecificationError
from tams_server.specification.validators import Validator, Validators

Kind = Literal["string", "integer", "boolean", "list"]

LIST_MARK = "x-comma-separated"
"""On a query parameter: "literal" (an encoded comma is part of a value) or "any" (it separates too)."""
SCOPE_MARK = "x-scopes"
"""On an operation: the scopes any one of which suffices, space separated."""


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """prefix: for a templated name such as `tag.{name}`, what comes before the brace ("tag."), else None.
    key: the name under which handlers find it ("tag" for "tag.")."""

    name: str
    key: str
    kind: Kind
    validator: Validator
    prefix: str | None = None
    literal_commas: bool = True


@dataclass(frozen=True, slots=True)
class Body:
    """What an operation takes. validators: by lower-case media type."""

    required: bool
    validators: Mapping[str, Validator]


@dataclass(frozen=True, slots=True)
class DeclaredResponse:
    """What an operation may give with one status. body: None where none is documented."""

    body: Validator | None
    headers: Mapping[str, tuple[Kind, Validator]]


@dataclass(frozen=True, slots=True)
class Operation:
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
    """Every operation except HEAD, which is GET without a body. Raises SpecificationError."""
    reader = _Reader(document)
    return [reader.operation(path, method, item[method]) for path, method, item in _each(document) if method != "head"]


def read_webhooks(document: Json) -> dict[str, Validator]:
    """The validator of each event type's message, by event type. Raises SpecificationError."""
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
        self._validator = Validators(document).validator

    def operation(self, path: str, method: str, source: Json) -> Operation:
        """One operation. Raises SpecificationError naming it."""
        try:
            return self._operation(path, method, source)
        except KeyError as error:
            raise SpecificationError(f"{method.upper()} {path}: {error} is missing") from error
        except ValueError as error:
            raise SpecificationError(f"{method.upper()} {path}: {error}") from error

    def message(self, name: str, source: Json) -> Validator:
        """What is sent for one type of event. Raises SpecificationError naming it."""
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
            literal_commas=commas != "any",
        )

    def _body(self, source: Json | None) -> Body | None:
        if source is None:
            return None
        content = source["content"].items()
        by_type = {media.lower(): self._validator(given.get("schema", {})) for media, given in content}
        return Body(bool(source.get("required")), by_type)

    def _response(self, source: Json) -> DeclaredResponse:
        content: Json = source.get("content", {})
        body = next((given for media, given in content.items() if media.lower().endswith("json")), None)
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
