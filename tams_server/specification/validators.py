"""Compiled JSON Schema 2020-12 validators for the schemas of the document.

jsonschema-rs decides whether a value is valid (formats are asserted). Only for an invalid value does the much slower
pure-Python jsonschema look for the best description of the violation.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import jsonschema_rs

from tams_server.specification.document import Json
from tams_server.specification.explain import Explainer, Violation, contains_secret, is_secret

_BASE = "urn:x-tams-server:document"
_MAX_EXPLAINED_PARTS = 5000  # larger values would take pure-Python jsonschema too long
_MAX_MESSAGE_CHARS = 300


class Validator:
    """Validates values against one schema."""

    __slots__ = ("_compiled", "_explainer", "_schema", "is_valid")

    def __init__(self, schema: Json, registry: jsonschema_rs.Registry, explainer: Explainer) -> None:
        self._schema = schema
        self._explainer = explainer
        self._compiled = jsonschema_rs.Draft202012Validator(schema, registry=registry, validate_formats=True)
        self.is_valid = self._compiled.is_valid

    def violation(self, value: Any) -> Violation | None:
        """Return the most relevant violation in `value`, or None if it is valid. Slow for invalid values."""
        error = next(iter(self._compiled.iter_errors(value)), None)
        if error is None:
            return None
        # jsonschema checks fewer formats than jsonschema-rs, so it may find nothing.
        path = _deepest_path(error)
        hidden = is_secret(path) or contains_secret(error.instance)
        message = "does not match the schema" if hidden else error.message[:_MAX_MESSAGE_CHARS]
        return self._explain(value, path) or Violation(path, message)

    def _explain(self, value: Any, path: tuple[str | int, ...]) -> Violation | None:
        """Explain the violation; of a list, only in the item at fault. Returns None if the value is too large."""
        if isinstance(value, list) and path and isinstance(path[0], int):
            found = self._explain_if_small([value[path[0]]])
            return found and Violation((path[0], *found.path[1:]), found.text)
        return self._explain_if_small(value)

    def _explain_if_small(self, value: Any) -> Violation | None:
        small = len(list(islice(_parts(value), _MAX_EXPLAINED_PARTS))) < _MAX_EXPLAINED_PARTS
        return self._explainer.explain(self._schema, value) if small else None


def _deepest_path(error: jsonschema_rs.ValidationError) -> tuple[str | int, ...]:
    """Return the path of the error; if alternatives failed, that of the error deepest inside them."""
    path = tuple(error.instance_path)
    for alternative in getattr(error.kind, "context", ()):
        for inner in alternative:
            path = max(path, tuple(inner.instance_path), key=len)
    return path


def _parts(value: Any) -> Iterator[Any]:
    """Iterate over every value nested in `value`."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield part
        yield from _parts(part)


class SchemaValidators:
    """Compiles the schemas of one document; equal schemas share a validator."""

    def __init__(self, document: Json) -> None:
        root = {"components": {"schemas": _absolute(document["components"]["schemas"])}}
        self._registry = jsonschema_rs.Registry([(_BASE, root)])
        self._explainer = Explainer(_BASE, root)
        self._compiled: dict[str, Validator] = {}

    def validator(self, schema: Json) -> Validator:
        """Return the validator for `schema`, whose references point into the document.

        Raises ValueError for an invalid schema.
        """
        absolute = _absolute(schema)
        key = json.dumps(absolute, sort_keys=True)
        if key not in self._compiled:
            self._compiled[key] = Validator(absolute, self._registry, self._explainer)
        return self._compiled[key]


def _absolute(node: Any) -> Any:
    """Copy a schema, with its references made absolute: each schema is compiled as a document of its own."""
    if isinstance(node, dict):
        copy = {key: _absolute(value) for key, value in node.items()}
        if isinstance(copy.get("$ref"), str) and copy["$ref"].startswith("#/components/"):
            copy["$ref"] = _BASE + copy["$ref"]
        return copy
    if isinstance(node, list):
        return [_absolute(item) for item in node]
    return node
