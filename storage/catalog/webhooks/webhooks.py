"""Webhooks: receivers of events and their filters (HOOK-*)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import urlsplit

from storage.catalog import jobs
from storage.catalog import tags as tag_rows
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.job_kinds import DELIVERY
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.tags import TagFilter
from storage.catalog.webhooks.delivery_progress import Rejection
from storage.errors import Invalid, NotFound
from storage.preconditions import Preconditions, ResourceState, ResourceVersion, digest_of
from storage.tables.conditions import Condition, equals
from storage.tables.engine import Reader, Writer
from storage.tables.limits import (
    LABEL,
    MESSAGE,
    NAME,
    SECRET,
    WEBHOOK_URL,
    check_document,
    check_list,
    check_text,
    clip,
)
from storage.tables.rows import WebhookRow

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
        where = [*tags.conditions(KIND), *_visible(caller)]
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "webhooks", where, _ORDER, request, size)
        return Page([_document(row) for row in rows], size, request.reverse, next_key)

    def get(self, caller: Caller, webhook_id: str) -> dict[str, Any]:
        return self.get_with_version(caller, webhook_id)[0]

    def get_with_version(self, caller: Caller, webhook_id: str) -> tuple[dict[str, Any], ResourceVersion]:
        with self._env.engine.read_once() as tx:
            row = _find(tx, caller, webhook_id)
        return _document(row), ResourceVersion(_version(row))

    def require(self, caller: Caller, webhook_id: str) -> None:
        """Raise NotFound unless the webhook exists and the caller may see it."""
        with self._env.engine.read_once() as tx:
            _find(tx, caller, webhook_id)

    def create(self, caller: Caller, body: Mapping[str, Any], base_url: str) -> dict[str, Any]:
        """Create a webhook, even if an identical one exists (HOOK-POST-01, -02).

        base_url: of this service, for its URLs in events. Raises: Invalid.
        """
        secret = body.get("api_key_value")
        self._check(body, secret)
        if "api_key_name" in body and secret is None:
            raise _missing_secret("api_key_name is given without a value", "AMB-13")
        return self._insert(caller, body, base_url)

    @retried
    def _insert(self, caller: Caller, body: Mapping[str, Any], base_url: str) -> dict[str, Any]:
        now = self._env.clock()
        columns = _columns(body, now) | {"secret": body.get("api_key_value"), "base_url": base_url}
        row = cast(WebhookRow, columns | {"id": str(uuid.uuid4()), "owner": caller.name, "created": now})
        with self._env.engine.write() as tx:
            tx.insert("webhooks", [row])
            tag_rows.replace_rows(tx, KIND, row["id"], body.get("tags", {}))
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
        self.require(caller, webhook_id)
        if body["id"] != webhook_id:
            raise Invalid(
                f"id must equal the id in the path, {webhook_id}, not {body['id']!r}",
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
            row = _find(tx, caller, webhook_id)
            if preconditions is not None:
                preconditions.check_change(ResourceState(version=_version(row)))
            if row["status"] == "error" and body["status"] == "disabled":
                raise Invalid(
                    "status must be created, not disabled, while the webhook's status is error",
                    field="status",
                    behaviour="HOOK-ST-04",
                )
            secret = _secret(row, body)
            values = _columns(body, now) | {"secret": secret, "base_url": base_url}
            if row["enabled"] and values["enabled"]:
                values["since"] = row["since"]
            tx.update("webhooks", equals(id=webhook_id), values)
            tag_rows.replace_rows(tx, KIND, webhook_id, body.get("tags", {}))
            self._reschedule_deliveries(tx, webhook_id)
        return _document(cast(WebhookRow, {**row, **values}))

    @retried
    def delete(self, caller: Caller, webhook_id: str, preconditions: Preconditions | None = None) -> None:
        """Delete a webhook; its queued events are not sent (HOOK-DEL-01 to -03).

        Raises: NotFound; PreconditionFailed.
        """
        with self._env.engine.write() as tx:
            tx.lock(f"webhook:{webhook_id}")
            row = _find(tx, caller, webhook_id)
            if preconditions is not None:
                preconditions.check_change(ResourceState(version=_version(row)))
            tx.delete("webhooks", equals(id=webhook_id))
            tx.delete("tags", equals(kind=KIND, owner_id=webhook_id))
            self._reschedule_deliveries(tx, webhook_id)

    def _reschedule_deliveries(self, tx: Writer, webhook_id: str) -> None:
        """Make queued deliveries due now, so that they are sent as the webhook now asks, or dropped."""
        if tx.select("deliveries", equals(webhook_id=webhook_id), limit=1, columns=["event_id"]):
            jobs.make_due(tx, self._env.clock(), DELIVERY, webhook_id)

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
            raise Invalid("api_key_value requires api_key_name", field="api_key_name", behaviour="AMB-13")
        if "api_key_name" in body:
            self._env.outbound.check_header(body["api_key_name"], secret or "")


def _secret(row: WebhookRow, body: Mapping[str, Any]) -> str | None:
    """Return the secret after a PUT. A PUT without one keeps it, if header and receiver stay the same (AMB-12)."""
    if "api_key_name" not in body:
        return None
    if "api_key_value" in body:
        return str(body["api_key_value"])
    if body["api_key_name"] != row["doc"].get("api_key_name"):
        raise _missing_secret("api_key_name has changed", "AMB-12")
    if _origin(body["url"]) != _origin(row["url"]):
        raise _missing_secret("url has moved to another server", "AMB-12")
    secret: str | None = row["secret"]
    return secret


def _missing_secret(reason: str, behaviour: str) -> Invalid:
    return Invalid(f"api_key_value is required: {reason}", field="api_key_value", behaviour=behaviour)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _columns(body: Mapping[str, Any], now: int) -> dict[str, Any]:
    status = body.get("status", "created")
    return {
        "url": body["url"],
        "enabled": status in _ENABLED,
        "status": status,
        "since": now,
        "failing_since": None,
        "doc": {name: body[name] for name in STORED if name in body} | {_REVISION: uuid.uuid4().hex},
    }


def _visible(caller: Caller) -> Sequence[Condition]:
    """Callers that may write see and change every webhook; all others only their own (HOOK-LIST-05, AMB-25, AMB-39)."""
    return () if caller.may(["write"]) else equals(owner=caller.name)


def _find(tx: Reader, caller: Caller, webhook_id: str) -> WebhookRow:
    rows = tx.select("webhooks", [*equals(id=webhook_id), *_visible(caller)], limit=1)
    if not rows:
        raise NotFound(f"there is no webhook {webhook_id}", field="webhook_id", behaviour="HOOK-GET-01")
    return rows[0]


def _document(row: WebhookRow) -> dict[str, Any]:
    """Return webhook-get.json, which never includes the secret (HOOK-LIST-06)."""
    doc = {name: value for name, value in row["doc"].items() if name != _REVISION}
    return {"id": row["id"], **doc, "status": row["status"]}


def _version(row: WebhookRow) -> str:
    """Return the version of a webhook, in which a new secret counts too, although it is never shown."""
    return digest_of([row["doc"], row["status"]])


def set_aside_columns(row: WebhookRow, event_id: str, rejection: Rejection, now: int) -> dict[str, Any]:
    """Return the columns that say in a webhook's `error` that a part of an event is not sent; its status stays.

    now: microseconds since 1970.
    """
    what = f"{rejection.segments} of the segments of event" if rejection.segments else "Event"
    summary = f"{what} {event_id} could not be delivered and was set aside. {rejection.summary}"
    error = {"type": "set_aside", "summary": clip(summary, MESSAGE), "time": rfc3339(now)}
    values: dict[str, Any] = {"doc": row["doc"] | {"error": error}, "status": "started"}
    return values | {"failing_since": None} if rejection.too_large else values


def error_columns(row: WebhookRow, kind: str, summary: str, now: int) -> dict[str, Any]:
    """Return the columns that set a webhook's status to `error` (HOOK-GET-03, HOOK-ST-05).

    kind: a short, stable name of the problem. summary: one sentence. now: microseconds since 1970.
    """
    error = {"type": kind, "summary": clip(summary, MESSAGE), "time": rfc3339(now)}
    return {"status": "error", "enabled": False, "doc": row["doc"] | {"error": error}}
