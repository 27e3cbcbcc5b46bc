"""Copies of documents with one member changed, for tests of what a single member may contain."""

from copy import deepcopy
from typing import Any, Final

from tests.conformance.kit.documents import Json


class _Omitted:
    def __repr__(self) -> str:
        return "OMITTED"


OMITTED: Final = _Omitted()
"""The value of a member that is to be left out."""


def changed(document: Json, path: str, value: Any) -> Json:
    """Copy `document`, with the member at `path` (dotted if nested) set to `value`, or removed if that is OMITTED."""
    copy = deepcopy(document)
    *parents, name = path.split(".")
    owner = copy
    for parent in parents:
        owner = owner.setdefault(parent, {})
    if value is OMITTED:
        del owner[name]
    else:
        owner[name] = value
    return copy
