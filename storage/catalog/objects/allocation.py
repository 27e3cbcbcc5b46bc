"""Storage for objects to come: ids and upload requests (STO-*)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.flows import flow_rows
from storage.catalog.flows.flow_rules import check_container
from storage.catalog.jobs import COPY, copy_key
from storage.catalog.retry import retried
from storage.errors import Invalid
from storage.media.object_store import ObjectStore
from storage.tables.conditions import In, equals
from storage.tables.engine import Reader, Row


class Allocation:
    def __init__(self, env: Environment) -> None:
        self._env = env

    @retried
    def allocate(self, caller: Caller, flow_id: str, body: Mapping[str, Any], base_url: str) -> dict[str, Any]:
        """Set ids aside for a flow, and say how to upload them (flow-storage.json).

        Each is kept for min_object_timeout and a grace, and is gone after that unless a segment names it. Raises
        NotFound, Forbidden, or Invalid, and then allocates none.
        """
        limits = self._env.limits
        with self._env.engine.write() as tx:
            wanted = [f"object:{object_id}" for object_id in body.get("object_ids", ())]
            flow = flow_rows.find_writable(tx, caller, flow_id, *wanted)
            check_container(flow)
            store = self._store(body.get("storage_id"))
            _check_signing(store, body.get("presigned"))
            content_type = _content_type(flow, body.get("content_type"))
            ids = body.get("object_ids")
            if ids is None:
                count = min(body.get("limit", limits.storage_default), limits.storage_max)
                if count < 1:
                    raise Invalid(f"limit {count} must be at least 1", field="limit", behaviour="STO-09")
                ids = [str(uuid.uuid4()) for _ in range(count)]
            else:
                self._check_free(tx, ids)
            now = self._env.clock()
            expires = now + (limits.min_object_timeout_s + limits.object_grace_s) * SECOND
            common = {"state": "allocated", "flow_id": flow_id, "content_type": content_type, "created": now}
            tx.insert("objects", [{"id": object_id, **common, "expires": expires} for object_id in ids], fresh=True)
            place = {"instance": store.backend.id, "storage_id": store.backend.id, "created": now}
            tx.insert("instances", [{"object_id": object_id, **place} for object_id in ids], fresh=True)
        presigned = body.get("presigned", True)
        return {"media_objects": [_upload(store, id_, content_type, presigned, base_url) for id_ in ids]}

    def _store(self, storage_id: str | None) -> ObjectStore:
        """The store asked for, or the default one (STO-11 to -14)."""
        if storage_id is not None:
            return self._env.store(storage_id, "STO-12")
        for store in self._env.stores.values():
            if store.backend.default_storage:
                return store
        raise Invalid(
            "storage_id is needed: this service has no default storage backend", field="storage_id", behaviour="STO-14"
        )

    def _check_free(self, tx: Reader, ids: Sequence[str]) -> None:
        """Refuse ids that are in use, repeated or unfit (STO-05, -06, -08)."""
        limits = self._env.limits
        if len(ids) > limits.storage_max:
            raise Invalid(f"object_ids may hold at most {limits.storage_max} ids", field="object_ids")
        seen: set[str] = set()
        for number, object_id in enumerate(ids):
            field = f"object_ids.{number}"
            if object_id in seen:
                raise Invalid(f"{field} repeats {object_id!r}", field=field, behaviour="STO-08")
            if not 0 < len(object_id) <= limits.object_id_max_chars:
                most = limits.object_id_max_chars
                raise Invalid(f"{field} must have from 1 to {most} characters, not {len(object_id)}", field=field)
            seen.add(object_id)
        taken = tx.select("objects", [In("id", ids)], limit=1, columns=["id"])
        if not taken:
            waiting = tx.select("garbage", [In("object_id", ids)], limit=1, columns=["object_id"])
            taken = [{"id": row["object_id"]} for row in waiting]
        if not taken:
            keys = {copy_key(storage_id, object_id): object_id for storage_id in self._env.stores for object_id in ids}
            copied = tx.select("jobs", [*equals(kind=COPY), In("key", list(keys))], limit=1, columns=["key"])
            taken = [{"id": keys[row["key"]]} for row in copied]
        if taken:
            raise Invalid(
                f"object_ids: {taken[0]['id']!r} exists already; nothing was allocated",
                field="object_ids",
                behaviour="STO-05",
            )


def _check_signing(store: ObjectStore, presigned: bool | None) -> None:
    """Refuse what the store does not have (STO-23)."""
    if presigned is False and not store.unsigned:
        raise Invalid(
            f"presigned false: storage backend {store.backend.id} gives presigned URLs only",
            field="presigned",
            behaviour="STO-23",
        )


def _content_type(flow: Row, wanted: str | None) -> str:
    """The flow's container unless another type is asked for, as init objects may need (STO-17 to -21, A50)."""
    container: str = flow["container"]
    if wanted is None or wanted == container:
        return container
    if not flow["init_segments"]:
        raise Invalid(
            f"content_type {wanted!r} differs from the flow's container {container!r}, which only init objects may do,"
            " and the flow has no essence_parameters.init_segments true",
            field="content_type",
            behaviour="STO-21",
        )
    return wanted


def _upload(store: ObjectStore, object_id: str, content_type: str, presigned: bool, base_url: str) -> dict[str, Any]:
    request = store.upload(object_id, content_type, presigned=presigned, base_url=base_url)
    put_url: dict[str, Any] = {"url": request.url, "content-type": request.content_type}
    if request.headers:
        put_url["headers"] = request.headers
    return {"object_id": object_id, "put_url": put_url, "presigned": request.presigned}
