"""A table of the specification's operations, for rules that apply to all of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from tams_server.specification.document import METHODS, load_document
from tests.conformance.kit.checker import API
from tests.conformance.kit.client import path_segment

_NAME = re.compile(r"{([^}]+)}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path.

    uuids: the path parameters that are UUIDs. query: the type of each query parameter ("boolean", "integer", or ""
    if it is not a plain type), by name. body: "required", "optional" or "" for none. statuses: the documented ones.
    """

    id: str
    method: str
    path: str
    uuids: tuple[str, ...]
    query: Mapping[str, str]
    body: str
    statuses: frozenset[int]

    def __str__(self) -> str:
        return self.id

    def url(self, values: Mapping[str, str]) -> str:
        """The path with its parameters filled in."""
        return fill_path(self.path, values)


def fill_path(path: str, values: Mapping[str, str]) -> str:
    """Fill in the parameters of a path of the specification."""
    return _NAME.sub(lambda match: path_segment(values[match[1]]), path)


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation of the specification."""
    paths = load_document(API)["paths"]
    found = []
    for path, item in paths.items():
        for method in METHODS:
            if method not in item:
                continue
            declared = item[method].get("parameters", [])
            body = item[method].get("requestBody")
            found.append(
                Operation(
                    item[method]["operationId"],
                    method.upper(),
                    path,
                    tuple(p["name"] for p in declared if p["in"] == "path" and "uuid" in str(p["schema"])),
                    {p["name"]: str(p["schema"].get("type", "")) for p in declared if p["in"] == "query"},
                    "" if body is None else "required" if body.get("required") else "optional",
                    frozenset(int(status) for status in item[method]["responses"]),
                )
            )
    return tuple(found)


def paths() -> tuple[str, ...]:
    """Every path of the specification."""
    return tuple(dict.fromkeys(operation.path for operation in operations()))


def methods(path: str) -> frozenset[str]:
    """The methods that the specification lists for the path."""
    return frozenset(operation.method for operation in operations() if operation.path == path)
