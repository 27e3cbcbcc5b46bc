"""Where a rule of a schema stands in the document, as a JSON Pointer (RFC 6901).

Validators name a rule by the way that led to it, without the references on that way. Followed from the schema, it ends
in one place of the document, whatever the value was: the number of different pointers is that of the rules.
"""

from collections.abc import Callable, Sequence
from typing import Any

Resolve = Callable[[str], Any]
"""Returns the target of a `$ref`, or None."""


def pointer(parts: Sequence[str | int]) -> str:
    """Return the parts as a pointer: "" for none."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def rule_path(schema: Any, parts: Sequence[str | int], resolve: Resolve) -> str:
    """Return the pointer to the rule to which `parts` lead from a schema.

    It begins with "#" if a reference was followed, and is relative to the schema otherwise.
    """
    return _found(schema, parts, "", resolve) or pointer(parts)


def _found(node: Any, parts: Sequence[str | int], here: str, resolve: Resolve) -> str | None:
    reference = node.get("$ref") if isinstance(node, dict) else None
    if parts:
        child = _child(node, parts[0])
        if child is not None:
            found = _found(child, parts[1:], here + pointer(parts[:1]), resolve)
            if found is not None or reference is None:
                return found
    elif reference is None:
        return here
    if not isinstance(reference, str):
        return None
    return _found(resolve(reference), parts, reference[reference.index("#") :], resolve)


def _child(node: Any, part: str | int) -> Any:
    if isinstance(node, list):
        return node[part] if isinstance(part, int) and part < len(node) else None
    return node.get(part) if isinstance(node, dict) else None
