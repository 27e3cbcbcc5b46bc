"""Webhooks: receivers of events and their filters (HOOK-*)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from storage import error_codes
from storage.catalog import job_queue
from storage.catalog import tags as tag_rows
from storage.catalog.access.checks import not_found, reading, require, require_before_lock, unreadable
from storage.catalog.access.class_changes import check_class_change, check_new_classes, with_default_classes
from storage.catalog.access.class_rows import delete_classes_with_owner, replace_classes
from storage.catalog.access.owners import forget_owner, remember_owner
from storage.catalog.access_rules import Permission
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.event_journal import next_since
from storage.catalog.job_kinds import DELIVERY
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.tags import TagFilter
from storage.catalog.webhooks.webhook_secret import missing_secret, secret_after
from storage.errors import Forbidden, Invalid
from storage.preconditions import Preconditions, ResourceState, ResourceVersion, digest_of
from storage.tables.conditions import Condition, equals
from storage.tables.limits import (
    LABEL,
    NAME,
    SECRET,
    WEBHOOK_URL,
    check_document,
    check_list,
    check_text,
)
from storage.tables.rows import TagOwner, WebhookRow
from storage.tables.transaction import Reader, Writer

KIND: Final = "webhook"
_LISTS = (
    "events",
    "flow_ids",
    "source_ids",
    "flow_collected_by_ids",
    "source_collected_by_ids",
    "accept_get_urls",
    "accept_storage_ids",
)
"""The members whose length adds to the work for every event."""
STORED = ("url", "api_key_name", *_LISTS, "presigned", "verbose_storage", "include_object_timerange", "tags")
"""The members of webhook.json that are stored and returned as they were sent. Unknown members are dropped (A21)."""

_FILTERED: Mapping[TagOwner, Sequence[str]] = {
    "flow": ("flow_ids", "flow_collected_by_ids"),
    "source": ("source_ids", "source_collected_by_ids"),
}
"""The filters that name flows and sources."""

_REVISION = "revision"
"""A member of the stored document that every change replaces. It is not shown."""
_ORDER = Order(("url", "id"))
_ENABLED = ("created", "started")


class Webhooks:
    def __init__(self, env: Environment) -> None:
        self._env = env

    def page(self, caller: Caller, tags: TagFilter, request: PageRequest) -> Page:
        """Return the matching webhooks that the caller may see, by URL (HOOK-LIST-01 to -05)."""
        size = request.size(self._env.limits)
        where = [*tags.conditions(KIND), *visible_webhooks(caller)]
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "webhooks", where, _ORDER, request, size)
        return Page([_document(row) for row in rows], size, request.reverse, next_key)

    def get(self, caller: Caller, webhook_id: str) -> dict[str, Any]:
        return self.get_with_version(caller, webhook_id)[0]

    def get_with_version(self, caller: Caller, webhook_id: str) -> tuple[dict[str, Any], ResourceVersion]:
        with reading(self._env.engine, caller) as tx:
            row = _find(tx, caller, webhook_id, "read")
        return _document(row), ResourceVersion(_version(row))

    def require(self, caller: Caller, webhook_id: str, permission: Permission = "read") -> None:
        """Raise NotFound unless the webhook exists and the caller may see it; Forbidden if it lacks the permission."""
        with reading(self._env.engine, caller) as tx:
            _find(tx, caller, webhook_id, permission)

    def create(self, caller: Caller, body: Mapping[str, Any], base_url: str) -> dict[str, Any]:
        """Create a webhook, even if an identical one exists (HOOK-POST-01, -02).

        base_url: of this service, for its URLs in events. Raises: Invalid.
        """
        secret = body.get("api_key_value")
        self._check(body, secret)
        if "api_key_name" in body and secret is None:
            raise missing_secret("api_key_name is given without a value", "AMB-13")
        return self._insert(caller, body, base_url)

    @retried
    def _insert(self, caller: Caller, body: Mapping[str, Any], base_url: str) -> dict[str, Any]:
        now = self._env.clock()
        webhook_id = str(uuid.uuid4())
        check_new_classes(caller, KIND, webhook_id, body.get("tags", {}))
        tags = with_default_classes(caller, body.get("tags", {}))
        body = {**body, "tags": tags} if tags else body
        columns = _columns(body) | {"secret": body.get("api_key_value"), "base_url": base_url}
        row = cast(WebhookRow, columns | {"id": webhook_id, "owner": caller.name, "created": now})
        with self._env.engine.write() as tx:
            _check_filters(tx, caller, body)
            row["since"] = next_since(tx, now)
            tx.insert("webhooks", [row])
            tag_rows.replace_rows(tx, KIND, webhook_id, now, tags)
            replace_classes(tx, self._env.access, KIND, webhook_id, now, tags)
            remember_owner(tx, self._env.access, caller, now)
        return _document(row)

    def replace(
        self,
        caller: Caller,
        webhook_id: str,
        body: Mapping[str, Any],
        base_url: str,
        preconditions: Preconditions | None = None,
    ) -> dict[str, Any]:
        """Replace a webhook, and enable it again if the body says so (HOOK-PUT-*, HOOK-ST-*).

        Raises: NotFound; Invalid; PreconditionFailed.
        """
        self.require(caller, webhook_id, "write")
        if body["id"] != webhook_id:
            raise Invalid(
                f"id must equal the id in the path, {webhook_id}, not {body['id']!r}",
                code=error_codes.WEBHOOK_ID_MISMATCH,
                field="id",
                behaviour="HOOK-PUT-04",
            )
        self._check(body, body.get("api_key_value"))
        return self._update(caller, webhook_id, body, base_url, preconditions)

    @retried
    def _update(
        self,
        caller: Caller,
        webhook_id: str,
        body: Mapping[str, Any],
        base_url: str,
        preconditions: Preconditions | None,
    ) -> dict[str, Any]:
        now = self._env.clock()
        with self._env.engine.write() as tx:
            tx.lock(f"webhook:{webhook_id}")
            row = _find(tx, caller, webhook_id, "write")
            if preconditions is not None:
                preconditions.check_change(ResourceState(version=_version(row)))
            _check_filters(tx, caller, body)
            tags, stored_tags = body.get("tags", {}), row["doc"].get("tags", {})
            check_class_change(caller, KIND, webhook_id, stored_tags, tags)
            if row["status"] == "error" and body["status"] == "disabled":
                raise Invalid(
                    "status must be created, not disabled, while the webhook's status is error",
                    code=error_codes.WEBHOOK_STATUS,
                    field="status",
                    behaviour="HOOK-ST-04",
                )
            secret = secret_after(row, body)
            values = _columns(body) | {"secret": secret, "base_url": base_url}
            values["since"] = row["since"] if row["enabled"] and values["enabled"] else next_since(tx, now)
            values["owner"] = caller.name
            tx.update("webhooks", equals(id=webhook_id), values)
            tag_rows.check_room(self._env.engine, stored_tags, tags)
            tag_rows.replace_rows(tx, KIND, webhook_id, row["created"], tags)
            replace_classes(tx, self._env.access, KIND, webhook_id, row["created"], tags, stored_tags)
            remember_owner(tx, self._env.access, caller, now)
            forget_owner(tx, self._env.access, row["owner"])
            self._reschedule_deliveries(tx, webhook_id)
        return _document(cast(WebhookRow, {**row, **values}))

    @retried
    def delete(self, caller: Caller, webhook_id: str, preconditions: Preconditions | None = None) -> None:
        """Delete a webhook; its queued events are not sent (HOOK-DEL-01 to -03).

        Raises: NotFound; PreconditionFailed.
        """
        require_before_lock(self._env.engine, caller, KIND, webhook_id, "delete")
        with self._env.engine.write() as tx:
            tx.lock(f"webhook:{webhook_id}")
            row = _find(tx, caller, webhook_id, "delete")
            if preconditions is not None:
                preconditions.check_change(ResourceState(version=_version(row)))
            tx.delete("webhooks", equals(id=webhook_id))
            tx.delete("tags", equals(kind=KIND, owner_id=webhook_id))
            delete_classes_with_owner(tx, self._env.access, KIND, webhook_id, row["doc"].get("tags", {}))
            forget_owner(tx, self._env.access, row["owner"])
            self._reschedule_deliveries(tx, webhook_id)

    def _reschedule_deliveries(self, tx: Writer, webhook_id: str) -> None:
        """Make queued deliveries due now, so that they are sent as the webhook now asks, or dropped."""
        if tx.select("deliveries", equals(webhook_id=webhook_id), limit=1, columns=["event_id"]):
            job_queue.make_due(tx, self._env.clock(), DELIVERY, webhook_id)

    def _check(self, body: Mapping[str, Any], secret: str | None) -> None:
        check_text(body["url"], WEBHOOK_URL, "url")
        check_text(body.get("api_key_name", ""), NAME, "api_key_name")
        check_text(secret or "", SECRET, "api_key_value")
        for name in _LISTS:
            check_list(body.get(name, ()), self._env.limits.list_max, name)
        for position, label in enumerate(body.get("accept_get_urls", ())):
            check_text(label, LABEL, f"accept_get_urls.{position}")
        tag_rows.check_tags(body.get("tags", {}))
        check_document({name: body[name] for name in STORED if name in body}, "webhook")
        self._env.outbound.check_url(body["url"], "url")
        if secret is not None and "api_key_name" not in body:
            raise Invalid(
                "api_key_value requires api_key_name",
                code=error_codes.WEBHOOK_SECRET,
                field="api_key_name",
                behaviour="AMB-13",
            )
        if "api_key_name" in body:
            self._env.outbound.check_header(body["api_key_name"], secret or "")


def _columns(body: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a body sets, all but `since`."""
    status = body.get("status", "created")
    return {
        "url": body["url"],
        "enabled": status in _ENABLED,
        "status": status,
        "failing_since": None,
        "doc": {name: body[name] for name in STORED if name in body} | {_REVISION: uuid.uuid4().hex},
    }


def visible_webhooks(caller: Caller) -> Sequence[Condition]:
    """Callers that may write see every webhook; all others only their own (HOOK-LIST-05, AMB-25, AMB-39).

    Where there are rules on classes, these decide instead.
    """
    if caller.is_restricted:
        return caller.visible(KIND)
    return () if caller.may(["write"]) else equals(owner=caller.name)


def _find(tx: Reader, caller: Caller, webhook_id: str, permission: Permission) -> WebhookRow:
    require(tx, caller, KIND, webhook_id, permission)
    where = () if caller.is_restricted else visible_webhooks(caller)
    rows = tx.select("webhooks", [*equals(id=webhook_id), *where], limit=1)
    if not rows:
        raise not_found(KIND, webhook_id)
    if permission != "read":
        _check_owner(caller, rows[0])
    return rows[0]


def _check_owner(caller: Caller, row: WebhookRow) -> None:
    """Reject changes by others than the owner and administrators, unless there are rules on classes (HOOK-PUT-08).

    The owner of a webhook is the caller that made or last changed it.
    """
    if not caller.rules.enabled and caller.name != row["owner"] and not caller.may(()):
        message = "only the owner of a webhook, or an administrator, may change or delete it"
        raise Forbidden(message, code=error_codes.WEBHOOK_OWNER, behaviour="HOOK-PUT-08")


def _check_filters(tx: Reader, caller: Caller, body: Mapping[str, Any]) -> None:
    """Reject filters by flows and sources that the caller may not read, or that do not exist (HOOK-POST-11)."""
    for kind, names in _FILTERED.items():
        for name in names:
            ids = body.get(name, ())
            for hidden in unreadable(tx, caller, kind, ids):
                raise Invalid(
                    f"{name}.{ids.index(hidden)} {hidden} is not a {kind} that you may read",
                    code=error_codes.WEBHOOK_FILTER,
                    field=f"{name}.{ids.index(hidden)}",
                    behaviour="HOOK-POST-11",
                )


def _document(row: WebhookRow) -> dict[str, Any]:
    """Return webhook-get.json, which never includes the secret (HOOK-LIST-06)."""
    doc = {name: value for name, value in row["doc"].items() if name != _REVISION}
    return {"id": row["id"], **doc, "status": row["status"]}


def _version(row: WebhookRow) -> str:
    """Return the version of a webhook, in which a new secret counts too, although it is never shown."""
    return digest_of([row["doc"], row["status"]])
