"""What an id stands for: each kind of resource, tried in turn."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tams_server.client import ApiError, Call, Client, NotFound, calls
from tams_server.client_cli.errors import NOT_FOUND, REFUSED, CommandError

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_PART = frozenset({"", ".", ".."})
"""What can be no part of a path, and so no id."""
_OTHER = frozenset({400, 404, 405})
"""Statuses that say that an id is none of the kind that was asked for."""
_CALLS: dict[str, Callable[[str], Call[Any]]] = {
    "flow": lambda id_: calls.flow(id_, with_timerange=True),
    "source": calls.source,
    "object": calls.media_object,
    "webhook": calls.webhook,
    "deletion": calls.flow_delete_request,
    "profile": calls.profile,
}
KINDS = tuple(_CALLS)


@dataclass(frozen=True, slots=True)
class Found:
    """A resource. kind: one of KINDS. document: as the server has it."""

    kind: str
    document: dict[str, Any]

    @property
    def name(self) -> str:
        """Kind, id and label in words."""
        label = self.document.get("label")
        named = f"{self.kind} {self.document['id']}"
        return f'{named} "{label}"' if label else named


def find(client: Client, id_: str, kinds: Sequence[str] = KINDS) -> Found:
    """The resource with an id, of the first of the kinds that has it. Raises CommandError if none has.

    Only objects may have ids that are not UUIDs.
    """
    forbidden: ApiError | None = None
    is_uuid = _UUID.fullmatch(id_) is not None
    for kind in kinds:
        if not is_uuid and (kind != "object" or id_ in _NO_PART):
            continue
        try:
            return Found(kind, client.send(_CALLS[kind](id_)))
        except ApiError as error:
            if error.status == 401 or error.status not in (*_OTHER, 403):
                raise
            forbidden = error if error.status == 403 else forbidden
    names = ", ".join(kinds[:-1]) + (" or " if len(kinds) > 1 else "") + kinds[-1]
    if forbidden is not None:
        raise CommandError(f"no {names} has the id {id_}, as far as these credentials may see: {forbidden}", REFUSED)
    raise CommandError(f"no {names} has the id {id_} at {client.url}", NOT_FOUND)


def check_backend(client: Client, id_: str) -> None:
    """Raise CommandError if a server lists its storage backends, and none has the id."""
    try:
        known = [each["id"] for each in client.iterate(calls.storage_backends())]
    except NotFound:
        return  # it has no such listing
    if id_ not in known:
        raise CommandError(f"no storage backend has the id {id_} at {client.url}: {', '.join(known)}", NOT_FOUND)
