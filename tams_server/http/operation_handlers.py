"""From operationId to handler, by one rule: the tag names the module, the operationId names the function.

Tag "FlowSegments" is module `flow_segments`; "GET_flows-flowId-segments" is function `get_flows_flowid_segments`.
An operation without a handler, or a handler without an operation, stops the server at start.
"""

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from handlers.shared.call import Handler
from handlers.shared.parameter_names import with_parameter_names
from storage.catalog import Catalog
from storage.catalog.caller import Caller
from tams_server.specification.document import METHODS, SpecificationError
from tams_server.specification.operations import Operation

ResourceCheck = Callable[[Catalog, Caller, Mapping[str, str], str, bool], None]
"""As handlers.shared.resource_check.check_resource."""


def module_name(tag: str) -> str:
    """Return the name of the module for a tag: CamelCase, spaces and dashes become snake_case."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tag)
    return re.sub(r"[^0-9A-Za-z]+", "_", words).lower()


def function_name(operation_id: str) -> str:
    """Return the name of the function for an operationId: lower case, each run of other characters an underscore."""
    return re.sub(r"[^0-9a-z]+", "_", operation_id.lower())


def find_handlers(operations: Iterable[Operation], package: str = "handlers") -> dict[str, Handler]:
    """Return the handler of every operation, by operationId.

    Raises SpecificationError listing every operation without a handler and every handler without an operation.
    """
    found: dict[str, Handler] = {}
    errors: list[str] = []
    expected: dict[str, set[str]] = {}
    for operation in operations:
        name = f"{package}.{module_name(operation.tag)}"
        function = function_name(operation.id)
        expected.setdefault(name, set()).add(function)
        handler = getattr(_module(name), function, None)
        if callable(handler):
            found[operation.id] = with_parameter_names(handler)
        else:
            errors.append(f"{operation.id}: {name}.{function} does not exist")
    for name, functions in expected.items():
        extra = {key for key in vars(_module(name) or object) if _looks_like_handler(key)} - functions
        errors += [f"{name}.{function}: no operation has this handler" for function in sorted(extra)]
    if errors:
        raise SpecificationError("handlers and operations do not match:\n  " + "\n  ".join(errors))
    return found


def find_resource_check(package: str = "handlers") -> ResourceCheck:
    """Return the function that checks the resource addressed by a request, in a package of handlers."""
    check: ResourceCheck = importlib.import_module(f"{package}.shared.resource_check").check_resource
    return check


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


def _looks_like_handler(name: str) -> bool:
    return name.partition("_")[0] in METHODS and "_" in name
