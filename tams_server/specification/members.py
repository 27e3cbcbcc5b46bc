"""The names of members that a schema declares for an object, in any of its alternatives."""

from typing import Any

from tams_server.specification.document import Json

_PREFIX = "#/components/schemas/"


def declared_members(schema: Json, schemas: Json) -> frozenset[str]:
    """Return the names that `schema` declares for an object, or for the objects in a list.

    schemas: `components.schemas` of the document. Without any name, a schema leaves all members open.
    """
    names: set[str] = set()
    _collect(schema, schemas, names, set())
    return frozenset(names)


def _collect(schema: Any, schemas: Json, names: set[str], seen: set[str]) -> None:
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith(_PREFIX) and reference not in seen:
        seen.add(reference)
        _collect(_target(reference.removeprefix(_PREFIX), schemas), schemas, names, seen)
    names.update(schema.get("properties", ()))
    for keyword in ("allOf", "anyOf", "oneOf"):
        for branch in schema.get(keyword, ()):
            _collect(branch, schemas, names, seen)
    for keyword in ("then", "else", "items"):
        _collect(schema.get(keyword), schemas, names, seen)


def _target(pointer: str, schemas: Json) -> Any:
    """Return what a pointer leads to, such as "flow-put/allOf/1"; None if that does not exist."""
    target: Any = schemas
    for part in pointer.split("/"):
        if isinstance(target, list):
            target = target[int(part)] if part.isdecimal() and int(part) < len(target) else None
        else:
            target = target.get(part) if isinstance(target, dict) else None
    return target
