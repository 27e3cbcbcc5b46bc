"""Who may use the plain URLs of objects, which carry no permission of their own."""

from typing import Literal, Protocol

from storage.catalog.caller import Caller


class AccessToMedia(Protocol):
    """Decides about a plain URL, as storage.catalog's MediaAccess."""

    def permits(
        self, caller: Caller, object_id: str, storage_id: str, permission: Literal["read", "write"], /
    ) -> bool: ...


class OpenAccess:
    """Permits everything that the scopes of a caller do."""

    def permits(self, caller: Caller, object_id: str, storage_id: str, permission: Literal["read", "write"], /) -> bool:
        return True
