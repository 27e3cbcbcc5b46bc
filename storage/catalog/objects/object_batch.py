"""The registration of many objects in one request, before segments use them (F6).

Each is allocated to a flow, like the objects of POST storage (STO-*): to be uploaded to a storage backend, or with URLs
at which its bytes are already.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from storage import error_codes
from storage.catalog.access.checks import find_all_permissions
from storage.catalog.batch import Item, Outcome, check_number_of_items, repeated, with_ids
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.objects.allocation import Allocation, media_object
from storage.catalog.objects.instances import instance_name
from storage.catalog.objects.new_objects import NewObject, NewObjects
from storage.catalog.objects.object_ids import check_object_id
from storage.catalog.retry import retried
from storage.errors import AlreadyExists, Forbidden, Invalid, NotFound, TamsError
from storage.media.object_store import AllocationTerm

_OF_UPLOADS = ("storage_id", "content_type", "presigned")


class ObjectBatch:
    """Registers objects for flows."""

    def __init__(self, env: Environment, allocation: Allocation) -> None:
        self._env = env
        self._allocation = allocation

    def register(self, caller: Caller, items: Sequence[Item], base_url: str) -> list[Outcome]:
        """Register every object that can be registered, in one transaction. Returns what became of each item.

        Like all allocated objects they expire unless a segment refers to them (STO-31).

        items: valid by object-post. base_url: origin and base path of this server, for URLs of its own.

        Raises: Invalid if there are too many items.
        """
        check_number_of_items(items, self._env.limits.storage_max, "objects")
        named = with_ids(items, "object_id")
        created, errors = self._register(caller, named)
        documents = self._documents(created, base_url)
        return [
            errors.get(number) or {"flow_id": item["flow_id"], **documents[item["object_id"]]}
            for number, item in enumerate(named)
        ]

    def uploads(self, items: Sequence[Item]) -> list[int]:
        """Return the positions of the objects that `register` would allocate for upload."""
        return [number for number, item in enumerate(items) if "get_urls" not in item]

    @retried
    def _register(self, caller: Caller, items: Sequence[Item]) -> tuple[list[NewObject], dict[int, TamsError]]:
        """Write the objects. Returns those, and the errors of the others by position."""
        errors = _check_items(items)
        left = {number: item for number, item in enumerate(items) if number not in errors}
        created: list[NewObject] = []
        if not left:
            return created, errors
        with self._env.engine.read_once() as tx:
            flow_ids = sorted({item["flow_id"] for item in left.values()})
            permissions = find_all_permissions(tx, caller, KIND, flow_ids)
        flow_locks = [f"flow:{id_}" for id_, each in permissions.items() if "write" in each]
        with self._env.engine.write() as tx:
            tx.lock(*flow_locks, *(f"object:{item['object_id']}" for item in left.values()))
            new = NewObjects(tx, self._env, caller, self._allocation, list(left.values()))
            for number, item in left.items():
                try:
                    created.append(new.add(item))
                except (AlreadyExists, Forbidden, Invalid, NotFound) as error:
                    errors[number] = error
            new.write(tx)
        return created, errors

    def _documents(self, created: Sequence[NewObject], base_url: str) -> Mapping[str, dict[str, Any]]:
        """What the response says of each object, by its id."""
        documents: dict[str, dict[str, Any]] = {}
        alike: dict[tuple[str, str, bool], list[NewObject]] = defaultdict(list)
        for new in created:
            if new.store is None:
                urls = [{"url": each["url"], "label": each["label"]} for each in new.instances]
                documents[new.row["id"]] = {"object_id": new.row["id"], "get_urls": urls}
            else:
                alike[new.store.backend.id, new.row["content_type"] or "", new.presigned].append(new)
        for (storage_id, content_type, presigned), group in alike.items():
            store, row = self._env.stores[storage_id], group[0].row
            remaining_s = ((row["expires"] or 0) - self._env.clock()) / SECOND - store.upload_tail_s
            term = AllocationTerm(row["created"], remaining_s)
            names = [instance_name(new.instances[0]) for new in group]
            uploads = store.upload_requests(names, content_type, presigned=presigned, base_url=base_url, term=term)
            for new, upload in zip(group, uploads, strict=True):
                documents[new.row["id"]] = media_object(new.row["id"], upload)
        return documents


def _check_items(items: Sequence[Item]) -> dict[int, TamsError]:
    """The errors of items that are wrong whatever is stored, by position."""
    errors: dict[int, TamsError] = {}
    seen: set[str] = set()
    for number, item in enumerate(items):
        object_id = item["object_id"]
        try:
            check_object_id(object_id, "object_id")
            extra = next((name for name in _OF_UPLOADS if "get_urls" in item and name in item), None)
            if extra is not None:
                raise Invalid(
                    f"{extra} is for uploads, and must not be given together with get_urls",
                    code=error_codes.ALLOCATION,
                    field=extra,
                )
            if object_id in seen:
                raise repeated("object", object_id, "object_id")
        except (AlreadyExists, Invalid) as error:
            errors[number] = error
        seen.add(object_id)
    return errors
