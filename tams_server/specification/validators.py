"""Compiled JSON Schema 2020-12 validators for the schemas of the document.

jsonschema-rs decides whether a value is valid (formats are asserted). It is never asked for the errors in a large
value, because it makes a list of all of them before it returns the first. An invalid value is reduced to a small one
that breaks the same rules, and the much slower pure-Python jsonschema looks for the best description in that.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import jsonschema_rs

from tams_server.specification.document import Json
from tams_server.specification.explain import Explainer, Violation, contains_secret, is_secret
from tams_server.specification.schema_paths import Resolve, rule_path
from tams_server.specification.witness import Reducer, Witness

_BASE = "urn:x-tams-server:document"
_MAX_PARTS = 200
_MAX_TEXT_CHARS = 2000
_MAX_MESSAGE_CHARS = 300
_NO_MATCH = "does not match the schema"
_ANNOTATIONS = frozenset(("$comment", "description", "examples", "title"))
"""Members of a schema that do not say what is valid."""


class Validator:
    """Validates values against one schema."""

    __slots__ = ("_compiled", "_explainer", "_reducer", "_resolve", "_schema", "is_valid")

    def __init__(
        self,
        schema: Json,
        compiled: jsonschema_rs.Draft202012Validator,
        explainer: Explainer,
        reducer: Reducer,
        resolve: Resolve,
    ) -> None:
        self._schema = schema
        self._resolve = resolve
        self._explainer = explainer
        self._reducer = reducer
        self._compiled = compiled
        self.is_valid = compiled.is_valid

    def violation(self, value: Any) -> Violation | None:
        """Return the most relevant violation in `value`, or None if it is valid; of a list, in the first item at fault.

        Takes some milliseconds, and for a large value no more than a few times what `is_valid` takes.
        """
        if self.is_valid(value):
            return None
        as_it_is = _is_small(value) and not isinstance(value, list)
        witness = Witness(value) if as_it_is else self._reducer.reduce(self._schema, value)
        if not _is_small(witness.value):
            return Violation((), _NO_MATCH)
        found = self._explainer.explain(self._schema, witness.value) or self._first_error(witness.value)
        return replace(found, path=witness.original_path(found.path))

    def rule_path(self, violation: Violation) -> str:
        """Return the pointer to the rule that `violation` says is broken, as `schema_paths.rule_path` has it."""
        return rule_path(self._schema, violation.rule, self._resolve)

    def _first_error(self, value: Any) -> Violation:
        """Describe what jsonschema does not find, since it checks fewer formats than jsonschema-rs."""
        error = next(iter(self._compiled.iter_errors(value)), None)
        if error is None:
            return Violation((), _NO_MATCH)
        path = _deepest_path(error)
        hidden = is_secret(path) or contains_secret(error.instance)
        rule = [part for part in error.schema_path if part != "$ref"]
        return Violation(path, _NO_MATCH if hidden else error.message[:_MAX_MESSAGE_CHARS], rule)


def _deepest_path(error: jsonschema_rs.ValidationError) -> tuple[str | int, ...]:
    """Return the path of the error; if alternatives failed, that of the error deepest inside them."""
    path = tuple(error.instance_path)
    for alternative in getattr(error.kind, "context", ()):
        for inner in alternative:
            path = max(path, tuple(inner.instance_path), key=len)
    return path


def _is_small(value: Any) -> bool:
    """Whether it takes little time to explain a value, whatever is wrong in it."""
    parts = list(islice(_parts(value), _MAX_PARTS + 1))
    return len(parts) <= _MAX_PARTS and sum(len(part) for part in parts if isinstance(part, str)) <= _MAX_TEXT_CHARS


def _parts(value: Any) -> Iterator[Any]:
    """Iterate over a value, every value nested in it, and the names of members."""
    yield value
    if isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from _parts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _parts(part)


class SchemaValidators:
    """Compiles the schemas of one document; equal schemas share a validator."""

    def __init__(self, document: Json) -> None:
        root = {"components": {"schemas": _absolute(document["components"]["schemas"])}}
        self._registry = jsonschema_rs.Registry([(_BASE, root)])
        self._explainer = Explainer(_BASE, root)
        self._resolve = partial(_target, root)
        self._reducer = Reducer(self._resolve, self._is_valid)
        self._validators: dict[str, Validator] = {}
        self._compiled: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def validator(self, schema: Json) -> Validator:
        """Return the validator for `schema`, whose references point into the document.

        Raises ValueError for an invalid schema.
        """
        absolute = _absolute(schema)
        key = json.dumps(absolute, sort_keys=True)
        if key not in self._validators:
            compiled = self._compile(absolute)
            self._validators[key] = Validator(absolute, compiled, self._explainer, self._reducer, self._resolve)
        return self._validators[key]

    def _compile(self, schema: Json) -> jsonschema_rs.Draft202012Validator:
        """Compile a schema, of which only one is kept that says the same: that of a flow takes 400 KiB."""
        key = json.dumps({name: rule for name, rule in schema.items() if name not in _ANNOTATIONS}, sort_keys=True)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = jsonschema_rs.Draft202012Validator(schema, registry=self._registry, validate_formats=True)
            self._compiled[key] = compiled
        return compiled

    def _is_valid(self, schema: Json) -> Callable[[Any], bool]:
        """Return what tells whether a value is valid under a schema. A mere reference is replaced by what it names."""
        named = self._resolve(schema["$ref"]) if schema.keys() - _ANNOTATIONS == {"$ref"} else None
        return self._compile(named if isinstance(named, dict) else schema).is_valid


def _target(root: Json, reference: str) -> Any:
    """Return the schema that an absolute reference names, or None."""
    node: Any = root
    for part in reference.removeprefix(f"{_BASE}#").split("/")[1:]:
        if isinstance(node, list):
            node = node[int(part)] if part.isdecimal() and int(part) < len(node) else None
        else:
            node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node


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
