"""Copies of documents with one member changed, for tests that say what a single member may and may not be."""

from copy import deepcopy
from typing import Any, Final

from tests.conformance.kit.documents import Json


class _Gone:
    def __repr__(self) -> str:
        return "GONE"


GONE: Final = _Gone()
"""Stands for a member that is left out."""


def changed(document: Json, path: str, value: Any) -> Json:
    """`document` with the member at `path` (dotted for nested ones) set to `value`, or left out where that is GONE."""
    copy = deepcopy(document)
    *parents, name = path.split(".")
    owner = copy
    for parent in parents:
        owner = owner.setdefault(parent, {})
    if value is GONE:
        del owner[name]
    else:
        owner[name] = value
    return copy
