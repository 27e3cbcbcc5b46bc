"""The operations of the document, compiled at start for fast use by every request."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tams_server.specification.document import METHODS, Json, SpecificationError
from tams_server.specification.members import declared_members
from tams_server.specification.schema_paths import pointer
from tams_server.specification.storable import BODIES, EVENTS, RESPONSES
from tams_server.specification.validators import SchemaValidators, Validator

Kind = Literal["string", "integer", "boolean", "list"]

LIST_MARK = "x-comma-separated"
"""Extension of a query parameter that is a list, whose items are separated by commas, plain or percent-encoded. "ids":
no item contains a comma; "texts": text with encoded commas is an item as a whole too."""
BULK_MARK = "x-bulk"
"""Extension of a request body that may be a list of documents, each with the limits of one."""
MOST_ITEMS_MARK = "x-most-items"
"""Extension of such a body: the most documents of a list. A longer one is rejected before it is parsed whole."""
APART_MARK = "x-served-apart"
"""Extension of an operation without a handler: an application beside the API serves it, such as the token endpoint."""
FORM = "multipart/form-data"
SCOPE_MARK = "x-scopes"
"""Extension of an operation: space-separated scopes, any one of which grants access."""
FURTHER_SCOPES_MARK = "x-further-scopes"
"""Extension of an operation: space-separated scopes, all of which are needed as well."""


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
    is_bulk: whether it may be a list of documents. most_items: of that list; None if parsing sets no limit.
    storable: accepts what can be stored though it breaks the schema (specification.storable); None for nothing.
    parts: the JSON documents among the parts of a form, by name.
    """

    required: bool
    validators: Mapping[str, Validator]
    members: frozenset[str] = frozenset()
    is_bulk: bool = False
    most_items: int | None = None
    storable: Validator | None = None
    parts: Mapping[str, "Body"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeclaredResponse:
    """The declared response for one status. body: None if no JSON body is declared. headers: by lower-case name.
    media_types: of the body. storable: as for Body, of documents that were stored earlier."""

    body: Validator | None
    headers: Mapping[str, tuple[Kind, Validator]]
    media_types: frozenset[str] = frozenset()
    storable: Validator | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A declared operation. query: by name; templated: the query parameters with a templated name.

    scopes: of which any one is needed. further_scopes: all of which are needed as well.
    """

    id: str
    method: str
    path: str
    tag: str
    scopes: frozenset[str]
    further_scopes: frozenset[str]
    path_parameters: Mapping[str, Validator]
    query: Mapping[str, QueryParameter]
    templated: tuple[QueryParameter, ...]
    body: Body | None
    responses: Mapping[str, DeclaredResponse]

    def schema_path(self, part: Sequence[str], rule: str) -> str:
        """Return the pointer to a rule in the document. Parameters stand under their names, not their numbers.

        part: what leads from the operation to the schema. rule: as Validator.rule_path returns it.
        """
        return rule if rule.startswith("#") else "#" + pointer(("paths", self.path, self.method.lower(), *part)) + rule


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
            if method in item and not item[method].get(APART_MARK):
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
            schema = source["requestBody"]["content"]["application/json"]["schema"]
            return self._validator({"anyOf": [schema, EVENTS[name]]} if name in EVENTS else schema)
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
            further_scopes=frozenset(source.get(FURTHER_SCOPES_MARK, "").split()),
            path_parameters={p["name"]: self._validator(p["schema"]) for p in parameters if p["in"] == "path"},
            query={p.name: p for p in query if p.prefix is None},
            templated=tuple(p for p in query if p.prefix is not None),
            body=self._body(source.get("requestBody"), BODIES.get(source["operationId"])),
            responses={
                str(status): self._response(r, RESPONSES.get(source["operationId"]))
                for status, r in source.get("responses", {}).items()
            },
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

    def _body(self, source: Json | None, storable: Json | None) -> Body | None:
        if source is None:
            return None
        form = source["content"].get(FORM)
        content = [(media, part) for media, part in source["content"].items() if media != FORM]
        by_type = {media.lower(): self._validator(part.get("schema", {})) for media, part in content}
        schemas = self._document["components"]["schemas"]
        members = (declared_members(part.get("schema", {}), schemas) for _, part in content)
        return Body(
            required=bool(source.get("required")),
            validators=by_type,
            members=frozenset().union(*members),
            is_bulk=bool(source.get(BULK_MARK)),
            most_items=source.get(MOST_ITEMS_MARK),
            storable=None if storable is None else self._validator(storable),
            parts=self._parts(form) if form is not None else {},
        )

    def _parts(self, form: Json) -> dict[str, Body]:
        """The parts of a form that its `encoding` declares as JSON."""
        parts = {}
        for name, encoding in form["encoding"].items():
            if encoding["contentType"] == "application/json":
                schema = form["schema"]["properties"][name]
                members = declared_members(schema, self._document["components"]["schemas"])
                parts[name] = Body(True, {"application/json": self._validator(schema)}, members)
        return parts

    def _response(self, source: Json, storable: Json | None) -> DeclaredResponse:
        content: Json = source.get("content", {})
        body = next((part for media, part in content.items() if media.lower().endswith("json")), None)
        schemas = {name.lower(): header.get("schema", {}) for name, header in source.get("headers", {}).items()}
        return DeclaredResponse(
            body=self._validator(body.get("schema", {})) if body is not None else self._any_text(content),
            headers={name: (self._kind(schema), self._validator(schema)) for name, schema in schemas.items()},
            media_types=frozenset(content),
            storable=None if storable is None else self._validator(storable),
        )

    def _any_text(self, content: Json) -> Validator | None:
        """For a response that is documented with media types other than JSON alone, which is sent encoded."""
        return self._validator({}) if content else None

    def _kind(self, schema: Json) -> Kind:
        while "$ref" in schema and "type" not in schema:
            schema = self._document["components"]["schemas"][schema["$ref"].removeprefix("#/components/schemas/")]
        kind = schema.get("type")
        return kind if kind in ("integer", "boolean") else "string"
