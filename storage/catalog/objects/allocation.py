"""Allocation: object ids and upload requests for objects to come (STO-*)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.flows import flow_rows
from storage.catalog.flows.flow_rules import check_container
from storage.catalog.job_kinds import COPY, copy_key
from storage.catalog.objects.instances import controlled_instance
from storage.catalog.objects.lifetime import allocated_until
from storage.catalog.objects.object_ids import check_object_id
from storage.catalog.retry import retried
from storage.errors import Invalid
from storage.media.names import extension_for, stored_name
from storage.media.object_store import AllocationTerm, ObjectStore
from storage.preconditions import Preconditions
from storage.tables.conditions import In, equals
from storage.tables.engine import Reader, Writer
from storage.tables.rows import FlowRow, ObjectRow


class Allocation:
    """Allocates objects to flows."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    @retried
    def allocate(
        self,
        caller: Caller,
        flow_id: str,
        body: Mapping[str, Any],
        base_url: str,
        preconditions: Preconditions | None = None,
    ) -> dict[str, Any]:
        """Allocate objects to a flow, and return their upload requests (flow-storage.json).

        Allocated objects expire after min_object_timeout and a grace period unless a segment refers to them.

        body: valid by flow-storage-post.json. base_url: origin and base path of this server, for URLs of its own.

        Raises: NotFound, Forbidden, Invalid, PreconditionFailed; then nothing is allocated.
        """
        with self._env.engine.write() as tx:
            locks = [f"object:{object_id}" for object_id in body.get("object_ids", ())]
            flow = flow_rows.lock_writable(tx, caller, flow_id, *locks, preconditions=preconditions)
            check_container(flow)
            store = self._store(body.get("storage_id"))
            _check_presigned(store, body.get("presigned"))
            content_type = _content_type(flow, body.get("content_type"))
            ids = body.get("object_ids")
            if ids is None:
                ids = self._new_ids(body.get("limit"))
            else:
                self._check_available(tx, ids)
            now = self._env.clock()
            expires = allocated_until(self._env.limits, now, store)
            self._insert(tx, flow_id, ids, content_type, store.backend.id, now, expires)
        presigned = body.get("presigned", True)
        remaining_s = (expires - self._env.clock()) / SECOND - store.upload_tail_s
        term = AllocationTerm(now, remaining_s)
        return {"media_objects": [_upload(store, id_, content_type, presigned, base_url, term) for id_ in ids]}

    def _store(self, storage_id: str | None) -> ObjectStore:
        """The store of this backend, or of the default backend for None (STO-11 to -14)."""
        if storage_id is not None:
            return self._env.store(storage_id, "STO-12")
        for store in self._env.stores.values():
            if store.backend.default_storage:
                return store
        raise Invalid(
            "storage_id is required: this service has no default storage backend",
            field="storage_id",
            behaviour="STO-14",
        )

    def _new_ids(self, limit: int | None) -> list[str]:
        limits = self._env.limits
        count = min(limits.storage_default if limit is None else limit, limits.storage_max)
        if count < 1:
            raise Invalid(f"limit must be at least 1, not {count}", field="limit", behaviour="STO-09")
        return [str(uuid.uuid4()) for _ in range(count)]

    def _check_available(self, tx: Reader, ids: Sequence[str]) -> None:
        """Reject ids that are taken, repeated, empty or too long (STO-05, -06, -08)."""
        limits = self._env.limits
        if len(ids) > limits.storage_max:
            raise Invalid(f"object_ids must have at most {limits.storage_max} ids, not {len(ids)}", field="object_ids")
        seen: set[str] = set()
        for number, object_id in enumerate(ids):
            field = f"object_ids.{number}"
            check_object_id(object_id, field)
            if object_id in seen:
                raise Invalid(f"{field} {object_id!r} is repeated", field=field, behaviour="STO-08")
            seen.add(object_id)
        taken = self._first_taken(tx, ids)
        if taken is not None:
            raise Invalid(
                f"object_ids: {taken!r} already exists; nothing was allocated", field="object_ids", behaviour="STO-05"
            )

    def _first_taken(self, tx: Reader, ids: Sequence[str]) -> str | None:
        """One of the ids that an object has, or whose bytes are still being removed or copied; None if all are free."""
        for row in tx.select("objects", [In("id", ids)], limit=1, columns=["id"]):
            return row["id"]
        for garbage in tx.select("garbage", [In("object_id", ids)], limit=1, columns=["object_id"]):
            return garbage["object_id"]
        keys = {copy_key(storage_id, object_id): object_id for storage_id in self._env.stores for object_id in ids}
        for job in tx.select("jobs", [*equals(kind=COPY), In("key", list(keys))], limit=1, columns=["key"]):
            return keys[job["key"]]
        return None

    def _insert(
        self,
        tx: Writer,
        flow_id: str,
        ids: Sequence[str],
        content_type: str,
        storage_id: str,
        now: int,
        expires: int,
    ) -> None:
        objects: list[ObjectRow] = [
            {
                "id": object_id,
                "state": "allocated",
                "flow_id": flow_id,
                "content_type": content_type,
                "created": now,
                "expires": expires,
            }
            for object_id in ids
        ]
        instances = [
            controlled_instance(object_id, storage_id, extension_for(object_id, content_type), now) for object_id in ids
        ]
        tx.insert("objects", objects, fresh=True)
        tx.insert("instances", instances, fresh=True)


def _check_presigned(store: ObjectStore, presigned: bool | None) -> None:
    """Reject `presigned` false for a store without unsigned URLs (STO-23)."""
    if presigned is False and not store.unsigned:
        raise Invalid(
            f"presigned must be true: storage backend {store.backend.id} issues presigned URLs only",
            field="presigned",
            behaviour="STO-23",
        )


def _content_type(flow: FlowRow, requested: str | None) -> str:
    """The flow's container, or the requested type for flows that need init objects too (STO-17 to -21, A50)."""
    container = flow["container"]
    assert container is not None, "check_container comes first"
    if requested is None or requested == container:
        return container
    if not flow["init_segments"]:
        raise Invalid(
            f"content_type {requested!r} must be the flow's container {container!r}, unless the flow has"
            " essence_parameters.init_segments true",
            field="content_type",
            behaviour="STO-21",
        )
    return requested


def _upload(
    store: ObjectStore, object_id: str, content_type: str, presigned: bool, base_url: str, term: AllocationTerm
) -> dict[str, Any]:
    name = stored_name(object_id, extension_for(object_id, content_type))
    request = store.upload_request(name, content_type, presigned=presigned, base_url=base_url, term=term)
    put_url: dict[str, Any] = {"url": request.url, "method": "PUT", "content-type": request.content_type}
    if request.headers:
        put_url["headers"] = request.headers
    return {"object_id": object_id, "put_url": put_url, "presigned": request.presigned}
