"""Handlers for one member of a resource at a time (its label, a tag, ...), made for sources and flows alike."""

from collections.abc import Callable
from typing import Any, Protocol

from handlers.shared.call import Call, Result
from storage.catalog import Catalog
from storage.catalog.caller import Caller

Handler = Callable[[Call], Result]


class Owner(Protocol):
    """The part of storage.catalog.Sources and Flows that these handlers need."""

    def member(self, caller: Caller, id_: str, name: str, /) -> Any: ...
    def set_member(self, caller: Caller, id_: str, name: str, value: Any, /) -> None: ...
    def tag(self, caller: Caller, id_: str, name: str, /) -> Any: ...
    def set_tag(self, caller: Caller, id_: str, name: str, value: Any, /) -> None: ...
    def delete_tag(self, caller: Caller, id_: str, name: str, /) -> None: ...


class Members:
    """Makes the handlers of one kind of resource. owner: picks it from the catalogue; parameter: names its id."""

    def __init__(self, owner: Callable[[Catalog], Owner], parameter: str) -> None:
        self._owner = owner
        self._parameter = parameter

    def get(self, name: str) -> Handler:
        """GET of the member: 200 with its bare value."""

        def handler(call: Call) -> Result:
            return Result(200, self._owner(call.catalog).member(call.caller, call.path[self._parameter], name))

        return handler

    def put(self, name: str) -> Handler:
        """PUT of the member: 204."""

        def handler(call: Call) -> Result:
            self._owner(call.catalog).set_member(call.caller, call.path[self._parameter], name, call.body)
            return Result(204)

        return handler

    def delete(self, name: str) -> Handler:
        """DELETE of the member: 204, also where it was not set (A15)."""

        def handler(call: Call) -> Result:
            self._owner(call.catalog).set_member(call.caller, call.path[self._parameter], name, None)
            return Result(204)

        return handler

    def get_tag(self, call: Call) -> Result:
        tag = self._owner(call.catalog).tag(call.caller, call.path[self._parameter], call.path["name"])
        return Result(200, tag)

    def put_tag(self, call: Call) -> Result:
        self._owner(call.catalog).set_tag(call.caller, call.path[self._parameter], call.path["name"], call.body)
        return Result(204)

    def delete_tag(self, call: Call) -> Result:
        self._owner(call.catalog).delete_tag(call.caller, call.path[self._parameter], call.path["name"])
        return Result(204)
