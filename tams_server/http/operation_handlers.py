"""From operationId to function, by one rule: the tag names the module, the operationId the function.

Tag "FlowSegments" is module `flow_segments`; "GET_flows-flowId-segments" is function `get_flows_flowid_segments`.
A missing handler, and one that no operation asks for, stop the server at start.
"""

import importlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from handlers.shared.call import Call, Result
from tams_server.specification.document import METHODS, SpecificationError
from tams_server.specification.operations import Operation

Handler = Callable[[Call], Result]
Addressed = Callable[[Call, str], None]


def module_name(tag: str) -> str:
    """The module for a tag: CamelCase, spaces and dashes become snake_case."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tag)
    return re.sub(r"[^0-9A-Za-z]+", "_", words).lower()


def function_name(operation_id: str) -> str:
    """The function for an operationId: lower case, every run of other characters an underscore."""
    return re.sub(r"[^0-9a-z]+", "_", operation_id.lower())


def find_handlers(operations: Iterable[Operation], package: str = "handlers") -> dict[str, Handler]:
    """The handler of every operation, by operationId. Raises SpecificationError telling of all that do not match."""
    found: dict[str, Handler] = {}
    faults: list[str] = []
    wanted: dict[str, set[str]] = {}
    for operation in operations:
        name = f"{package}.{module_name(operation.tag)}"
        function = function_name(operation.id)
        wanted.setdefault(name, set()).add(function)
        handler = getattr(_module(name), function, None)
        if callable(handler):
            found[operation.id] = handler
        else:
            faults.append(f"{operation.id}: there is no {name}.{function}")
    for name, functions in wanted.items():
        spare = {key for key in vars(_module(name) or object) if _looks_like_handler(key)} - functions
        faults += [f"{name}.{function}: no operation asks for it" for function in sorted(spare)]
    if faults:
        raise SpecificationError("handlers and operations do not match:\n  " + "\n  ".join(faults))
    return found


def find_preconditions(package: str = "handlers") -> Addressed:
    """The function that tells of missing and read-only resources before faults of the request are told (A33)."""
    addressed: Addressed = importlib.import_module(f"{package}.shared.preconditions").addressed
    return addressed


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


def _looks_like_handler(name: str) -> bool:
    return name.partition("_")[0] in METHODS and "_" in name
