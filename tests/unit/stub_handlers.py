"""Handlers that only record what they are called with, for every operation of a specification."""

import sys
from collections.abc import Callable, Iterable
from types import ModuleType

from handlers.shared.call import Call, Result
from tams_server.http.operation_handlers import function_name, module_name
from tams_server.specification.operations import Operation


class StubHandlers:
    """A package of handlers. calls: what they were given. answer: what they give, or raise.
    addressed: what the precondition does."""

    def __init__(self, operations: Iterable[Operation], package: str) -> None:
        self.package = package
        self.reset()
        names = (package, f"{package}.shared", f"{package}.shared.preconditions")
        self.modules = {name: ModuleType(name) for name in names}
        for operation in operations:
            name = f"{package}.{module_name(operation.tag)}"
            module = self.modules.setdefault(name, ModuleType(name))
            setattr(module, function_name(operation.id), self._handler(operation.id))
        checks = self.modules[f"{package}.shared.preconditions"]
        checks.addressed = lambda call, id_: self.addressed(call, id_)  # type: ignore[attr-defined]
        sys.modules.update(self.modules)

    def reset(self) -> None:
        self.calls: list[tuple[str, Call]] = []
        self.answer: Result | Exception = Result(200, {})
        self.addressed: Callable[[Call, str], None] = lambda _call, _operation_id: None

    def remove(self) -> None:
        for name in self.modules:
            del sys.modules[name]

    @property
    def call(self) -> Call:
        """What the last handler was given."""
        return self.calls[-1][1]

    def _handler(self, operation_id: str) -> Callable[[Call], Result]:
        def handler(call: Call) -> Result:
            self.calls.append((operation_id, call))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return handler
