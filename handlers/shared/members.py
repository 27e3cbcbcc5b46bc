"""Handlers for single members of a resource (its label, one tag, ...), shared by sources and flows."""

from collections.abc import Callable
from typing import Any, Protocol

from handlers.shared.call import Call, Handler, Result
from storage.catalog import Catalog
from storage.catalog.caller import Caller
from storage.preconditions import Preconditions, ResourceVersion

Conditions = Preconditions | None


class Owner(Protocol):
    """What these handlers need of storage.catalog's Sources and Flows."""

    def member(self, caller: Caller, id_: str, name: str, /) -> Any: ...
    def set_member(self, caller: Caller, id_: str, name: str, value: Any, conditions: Conditions, /) -> None: ...
    def tag(self, caller: Caller, id_: str, name: str, /) -> Any: ...
    def set_tag(self, caller: Caller, id_: str, name: str, value: Any, conditions: Conditions, /) -> None: ...
    def delete_tag(self, caller: Caller, id_: str, name: str, conditions: Conditions, /) -> None: ...


class Members:
    """Makes the handlers of one kind of resource.

    owner: selects it in the catalogue. parameter: name of the path parameter that holds its id.
    """

    def __init__(self, owner: Callable[[Catalog], Owner], parameter: str) -> None:
        self._owner = owner
        self._parameter = parameter

    def get(self, name: str) -> Handler:
        """Return the handler for GET of a member: 200 with its bare value."""

        def handler(call: Call) -> Result:
            value = self._owner(call.catalog).member(call.caller, call.path[self._parameter], name)
            return Result(200, value, version=ResourceVersion())

        return handler

    def put(self, name: str) -> Handler:
        """Return the handler for PUT of a member: 204."""

        def handler(call: Call) -> Result:
            self._set(call, name, call.body)
            return Result(204)

        return handler

    def delete(self, name: str) -> Handler:
        """Return the handler for DELETE of a member: 204, even if it was not set (A15)."""

        def handler(call: Call) -> Result:
            self._set(call, name, None)
            return Result(204)

        return handler

    def _set(self, call: Call, name: str, value: Any) -> None:
        owner = self._owner(call.catalog)
        owner.set_member(call.caller, call.path[self._parameter], name, value, call.preconditions)

    def get_tag(self, call: Call) -> Result:
        tag = self._owner(call.catalog).tag(call.caller, call.path[self._parameter], call.path["name"])
        return Result(200, tag, version=ResourceVersion())

    def put_tag(self, call: Call) -> Result:
        owner = self._owner(call.catalog)
        owner.set_tag(call.caller, call.path[self._parameter], call.path["name"], call.body, call.preconditions)
        return Result(204)

    def delete_tag(self, call: Call) -> Result:
        owner = self._owner(call.catalog)
        owner.delete_tag(call.caller, call.path[self._parameter], call.path["name"], call.preconditions)
        return Result(204)
