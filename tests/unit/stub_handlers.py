"""Handlers that only record their calls, for every operation of a specification."""

import sys
from collections.abc import Iterable
from types import ModuleType

from handlers.shared.call import Call, Handler, Result
from tams_server.http.operation_handlers import ResourceCheck, function_name, module_name
from tams_server.specification.operations import Operation


class StubHandlers:
    """A package of handlers.

    calls: the calls so far. result: what every handler returns, or raises. check_resource: the check of the addressed
    resource.
    """

    def __init__(self, operations: Iterable[Operation], package: str) -> None:
        self.package = package
        self.reset()
        names = (package, f"{package}.shared", f"{package}.shared.resource_check")
        self.modules = {name: ModuleType(name) for name in names}
        for operation in operations:
            name = f"{package}.{module_name(operation.tag)}"
            module = self.modules.setdefault(name, ModuleType(name))
            setattr(module, function_name(operation.id), self._handler(operation.id))
        module = self.modules[f"{package}.shared.resource_check"]
        module.check_resource = lambda *arguments: self.check_resource(*arguments)  # type: ignore[attr-defined]
        sys.modules.update(self.modules)

    def reset(self) -> None:
        self.calls: list[tuple[str, Call]] = []
        self.result: Result | Exception = Result(200, {})
        self.check_resource: ResourceCheck = lambda _catalog, _caller, _path, _operation_id, _deleted: None

    def remove(self) -> None:
        for name in self.modules:
            del sys.modules[name]

    @property
    def call(self) -> Call:
        """The last call."""
        return self.calls[-1][1]

    def _handler(self, operation_id: str) -> Handler:
        def handler(call: Call) -> Result:
            self.calls.append((operation_id, call))
            if isinstance(self.result, Exception):
                raise self.result
            return self.result

        return handler
