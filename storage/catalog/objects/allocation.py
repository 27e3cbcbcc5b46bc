"""Allocation: object ids and upload requests for objects to come (STO-*)."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage import error_codes
from storage.catalog.access.backends import backend_permissions, require_backend
from storage.catalog.access.checks import require_before_lock
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.flows import flow_rows
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.flow_rules import check_container
from storage.catalog.job_kinds import COPY, copy_key
from storage.catalog.objects.instances import controlled_instance, instance_name
from storage.catalog.objects.lifetime import allocated_until
from storage.catalog.objects.object_ids import check_object_id
from storage.catalog.retry import retried
from storage.catalog.usage import require_remaining_bytes
from storage.errors import Invalid
from storage.media.names import extension_for
from storage.media.object_store import AllocationTerm, ObjectStore, UploadRequest
from storage.preconditions import Preconditions
from storage.tables.conditions import In, equals
from storage.tables.rows import FlowRow, InstanceRow, ObjectRow
from storage.tables.transaction import Reader, Writer


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

        Raises: NotFound, Forbidden, Invalid, PreconditionFailed, QuotaExceeded; then nothing is allocated.
        """
        require_before_lock(self._env.engine, caller, KIND, flow_id, "write")
        with self._env.engine.write() as tx:
            locks = [f"object:{object_id}" for object_id in body.get("object_ids", ())]
            columns = flow_rows.CONTENT_WRITER_COLUMNS
            flow = flow_rows.lock_writable(tx, caller, flow_id, *locks, preconditions=preconditions, columns=columns)
            check_container(flow)
            require_remaining_bytes(tx, self._env, caller.name)
            store = self.store_for(caller, body.get("storage_id"))
            check_presigned(store, body.get("presigned"))
            content_type = content_type_of(flow, body.get("content_type"))
            ids = body.get("object_ids")
            if ids is None:
                ids = self._new_ids(body.get("limit"))
            else:
                self._check_available(tx, ids)
            now = allocation_time(self._env, [flow])
            expires = allocated_until(self._env.limits, now, store)
            instances = _insert(tx, caller.name, flow_id, ids, content_type, store.backend.id, now, expires)
        presigned = body.get("presigned", True)
        remaining_s = (expires - self._env.clock()) / SECOND - store.upload_tail_s
        term = AllocationTerm(now, remaining_s)
        names = [instance_name(row) for row in instances]
        uploads = store.upload_requests(names, content_type, presigned=presigned, base_url=base_url, term=term)
        return {"media_objects": list(map(media_object, ids, uploads))}

    def count(self, body: Mapping[str, Any]) -> int:
        """Return how many objects `allocate` would allocate for a body."""
        ids, limit, limits = body.get("object_ids"), body.get("limit"), self._env.limits
        if ids is not None:
            return len(ids)
        return max(0, min(limits.storage_default if limit is None else limit, limits.storage_max))

    def store_for(self, caller: Caller, storage_id: str | None) -> ObjectStore:
        """The store of this backend, or of the default backend for None (STO-11 to -14, AUTHZ-08).

        Raises: Invalid; Forbidden. A storage backend on which the caller has no permission does not exist for it.
        """
        if storage_id is not None:
            return require_backend(self._env, caller, storage_id, "STO-12")
        for store in self._env.stores.values():
            if store.backend.default_storage and backend_permissions(caller, store.backend):
                return require_backend(self._env, caller, store.backend.id, "STO-12")
        raise Invalid(
            "storage_id is required: this service has no default storage backend",
            code=error_codes.ALLOCATION,
            field="storage_id",
            behaviour="STO-14",
        )

    def _new_ids(self, limit: int | None) -> list[str]:
        limits = self._env.limits
        count = min(limits.storage_default if limit is None else limit, limits.storage_max)
        if count < 1:
            raise Invalid(
                f"limit must be at least 1, not {count}", code=error_codes.ALLOCATION, field="limit", behaviour="STO-09"
            )
        return [str(uuid.uuid4()) for _ in range(count)]

    def _check_available(self, tx: Reader, ids: Sequence[str]) -> None:
        """Reject ids that are taken, repeated, empty or too long (STO-05, -06, -08). Raises: Invalid."""
        limits = self._env.limits
        if len(ids) > limits.storage_max:
            raise Invalid(
                f"object_ids must have at most {limits.storage_max} ids, not {len(ids)}",
                code=error_codes.TOO_MANY_ITEMS,
                field="object_ids",
            )
        seen: set[str] = set()
        for number, object_id in enumerate(ids):
            field = f"object_ids.{number}"
            check_object_id(object_id, field)
            if object_id in seen:
                raise Invalid(
                    f"{field} {object_id!r} is repeated",
                    code=error_codes.OBJECT_ID_REPEATED,
                    field=field,
                    behaviour="STO-08",
                )
            seen.add(object_id)
        check_free(tx, self._env, ids, "object_ids")


def allocation_time(env: Environment, flows: Iterable[FlowRow]) -> int:
    """The time at which objects are allocated to these flows, in microseconds since 1970.

    It is never before a flow by the clock of another machine, since older objects are those of an earlier flow.
    """
    return max([env.clock(), *(flow["created"] for flow in flows)])


def check_free(tx: Reader, env: Environment, ids: Sequence[str], field: str) -> None:
    """Reject ids that are taken (STO-05). field: that has them. Raises: Invalid."""
    taken = taken_ids(tx, env, ids)
    if taken:
        raise Invalid(
            f"{field}: {min(taken)!r} already exists; nothing was allocated",
            code=error_codes.OBJECT_EXISTS,
            field=field,
            behaviour="STO-05",
        )


def taken_ids(tx: Reader, env: Environment, ids: Sequence[str]) -> set[str]:
    """Those of the ids that an object has, or whose bytes are still being removed or copied."""
    taken = {row["id"] for row in tx.select("objects", [In("id", ids)], columns=["id"])}
    taken.update(row["object_id"] for row in tx.select("garbage", [In("object_id", ids)], columns=["object_id"]))
    keys = {copy_key(storage_id, object_id): object_id for storage_id in env.stores for object_id in ids}
    jobs = tx.select("jobs", [*equals(kind=COPY), In("key", list(keys))], columns=["key"])
    return taken.union(keys[job["key"]] for job in jobs)


def allocated_object(
    object_id: str, flow_id: str, now: int, expires: int, content_type: str | None = None, owner: str | None = None
) -> ObjectRow:
    """The row of an object that no segment uses yet.

    now, expires: microseconds since 1970. content_type, owner: of an object that is to be uploaded.
    """
    return {
        "id": object_id,
        "state": "allocated",
        "flow_id": flow_id,
        "content_type": content_type,
        "created": now,
        "expires": expires,
        "owner": owner,
    }


def _insert(
    tx: Writer,
    owner: str,
    flow_id: str,
    ids: Sequence[str],
    content_type: str,
    storage_id: str,
    now: int,
    expires: int,
) -> list[InstanceRow]:
    """Insert the rows of new objects and of their instances. Returns the latter."""
    objects = [allocated_object(object_id, flow_id, now, expires, content_type, owner) for object_id in ids]
    instances = [
        controlled_instance(object_id, storage_id, extension_for(object_id, content_type), now) for object_id in ids
    ]
    tx.insert("objects", objects, fresh=True)
    tx.insert("instances", instances, fresh=True)
    return instances


def check_presigned(store: ObjectStore, presigned: bool | None) -> None:
    """Reject `presigned` false for a store without unsigned URLs (STO-23). Raises: Invalid."""
    if presigned is False and not store.unsigned:
        raise Invalid(
            f"presigned must be true: storage backend {store.backend.id} issues presigned URLs only",
            code=error_codes.ALLOCATION,
            field="presigned",
            behaviour="STO-23",
        )


def content_type_of(flow: FlowRow, requested: str | None, field: str = "content_type") -> str:
    """The flow's container, or the requested type for flows that need init objects too (STO-17 to -21, A50).

    field: that has the requested type. Raises: Invalid.
    """
    container = flow["container"]
    assert container is not None, "check_container comes first"
    if requested is None or requested == container:
        return container
    if not flow["init_segments"]:
        raise Invalid(
            f"{field} {requested!r} must be the flow's container {container!r}, unless the flow has"
            " essence_parameters.init_segments true",
            code=error_codes.ALLOCATION,
            field=field,
            behaviour="STO-21",
        )
    return requested


def media_object(object_id: str, upload: UploadRequest) -> dict[str, Any]:
    """One item of media_objects (flow-storage.json)."""
    put_url: dict[str, Any] = {"url": upload.url, "method": "PUT", "content-type": upload.content_type}
    if upload.headers:
        put_url["headers"] = upload.headers
    return {"object_id": object_id, "put_url": put_url, "presigned": upload.presigned}
