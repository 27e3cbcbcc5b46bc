"""Compiled JSON Schema 2020-12 validators for the document's schemas, and words for what they refuse.

jsonschema-rs says yes or no (formats asserted); only after a no does pure-Python jsonschema look for what to tell.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import jsonschema_rs

from tams_server.specification.document import Json
from tams_server.specification.explain import Complaint, Explainer, holds_secret, is_secret

_BASE = "urn:x-tams-server:document"
_EXPLAINED_PARTS = 5000
_SHOWN_CHARS = 300


class Validator:
    """Whether values meet one schema, and what is wrong with those that do not."""

    __slots__ = ("_compiled", "_explainer", "_schema", "is_valid")

    def __init__(self, schema: Json, registry: jsonschema_rs.Registry, explainer: Explainer) -> None:
        self._schema = schema
        self._explainer = explainer
        self._compiled = jsonschema_rs.Draft202012Validator(schema, registry=registry, validate_formats=True)
        self.is_valid = self._compiled.is_valid

    def complaint(self, value: Any) -> Complaint | None:
        """The most telling fault of `value`, or None where it is valid. Slow: for refusals only."""
        error = next(iter(self._compiled.iter_errors(value)), None)
        if error is None:
            return None
        # Python's `$` lets a last newline through and its format checkers know fewer formats, so it may find nothing.
        place = _place(error)
        hidden = is_secret(place) or holds_secret(error.instance)
        rest = "is not as the schema has it" if hidden else error.message[:_SHOWN_CHARS]
        return self._worded(value, error) or Complaint(place, rest)

    def _worded(self, value: Any, error: jsonschema_rs.ValidationError) -> Complaint | None:
        """In jsonschema's words, of a long list for the item at fault alone; None for what is too large for it."""
        place = _place(error)
        if isinstance(value, list) and place and isinstance(place[0], int):
            found = self._worded_alone([value[place[0]]])
            return found and Complaint((place[0], *found.path[1:]), found.text)
        return self._worded_alone(value)

    def _worded_alone(self, value: Any) -> Complaint | None:
        small = len(list(islice(_parts(value), _EXPLAINED_PARTS))) < _EXPLAINED_PARTS
        return self._explainer.complaint(self._schema, value) if small else None


def _place(error: jsonschema_rs.ValidationError) -> tuple[str | int, ...]:
    """Where the fault is: of alternatives, in the one that fails deepest."""
    place = tuple(error.instance_path)
    for branch in getattr(error.kind, "context", ()):
        for inner in branch:
            place = max(place, tuple(inner.instance_path), key=len)
    return place


def _parts(value: Any) -> Iterator[Any]:
    """Every value inside `value`."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield part
        yield from _parts(part)


class Validators:
    """Makes validators for schemas of one document; equal schemas share one."""

    def __init__(self, document: Json) -> None:
        root = {"components": {"schemas": _absolute(document["components"]["schemas"])}}
        self._registry = jsonschema_rs.Registry([(_BASE, root)])
        self._explainer = Explainer(_BASE, root)
        self._made: dict[str, Validator] = {}

    def validator(self, schema: Json) -> Validator:
        """The validator for `schema`, whose references are those of the document. Raises ValueError for a bad one."""
        absolute = _absolute(schema)
        key = json.dumps(absolute, sort_keys=True)
        if key not in self._made:
            self._made[key] = Validator(absolute, self._registry, self._explainer)
        return self._made[key]


def _absolute(node: Any) -> Any:
    """A copy whose references name the document, so that they mean the same from anywhere."""
    if isinstance(node, dict):
        copy = {key: _absolute(value) for key, value in node.items()}
        if isinstance(copy.get("$ref"), str) and copy["$ref"].startswith("#/components/"):
            copy["$ref"] = _BASE + copy["$ref"]
        return copy
    if isinstance(node, list):
        return [_absolute(item) for item in node]
    return node
