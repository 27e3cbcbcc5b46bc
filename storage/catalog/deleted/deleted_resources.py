"""Flows and sources that have been deleted and can be restored: listed, read, restored, and deleted for good (F13)."""

import time
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal, TypeVar

from storage import error_codes
from storage.catalog import kept_rows
from storage.catalog.access.checks import find_all_permissions, find_permissions, not_permitted, reading
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339, rfc3339_seconds
from storage.catalog.deleted.final_deletion import FinalDeletion
from storage.catalog.deleted.restoration import Restoration
from storage.catalog.environment import Environment
from storage.catalog.event_journal import write_with_events
from storage.catalog.flows import flows as flow_listing
from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.flows.metadata_version import flow_state
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.sources import KIND as SOURCE_KIND
from storage.catalog.sources import ORDERS as SOURCE_ORDERS
from storage.catalog.sources import SourceFilter, source_state
from storage.errors import Contended, NotFound, TamsError, Unavailable
from storage.preconditions import NO_RESOURCE, Preconditions
from storage.tables.conditions import Compare, Condition, equals
from storage.tables.rows import DeletedFlowRow, DeletedSourceRow
from storage.tables.transaction import Reader

R = TypeVar("R", DeletedFlowRow, DeletedSourceRow)

_FLOWS_PER_BATCH = 20
_RESTORING_S = 5.0
"""A request for the restoration of a source begins no further flow after this time."""
_TRANSACTION_S = 0.1
"""A transaction that restores several flows begins no further one after this time: other writers wait for its locks."""
_COLUMNS = ("id", "created", "deleted", "expires", "deleted_by", "doc")


class DeletedResources:
    """Callers see those that they may delete; others do not exist for them.

    Methods for one resource raise NotFound if it does not exist, and Forbidden if the caller has other permissions on
    it than to delete it.
    """

    def __init__(self, env: Environment, final: FinalDeletion) -> None:
        self._env = env
        self._final = final

    def flow_page(self, caller: Caller, filters: FlowFilter, sort_by: str, request: PageRequest) -> Page:
        """A page of the deleted flows that pass the filters. sort_by: a key of storage.catalog.flows.flows.ORDERS."""
        where = filters.conditions(kept_rows.FLOW)
        return self._page(caller, "deleted_flows", kept_rows.FLOW, where, flow_listing.ORDERS[sort_by], request)

    def source_page(self, caller: Caller, filters: SourceFilter, sort_by: str, request: PageRequest) -> Page:
        """A page of the deleted sources that pass the filters. sort_by: a key of storage.catalog.sources.ORDERS."""
        where = filters.conditions(kept_rows.SOURCE)
        return self._page(caller, "deleted_sources", kept_rows.SOURCE, where, SOURCE_ORDERS[sort_by], request)

    def flow(self, caller: Caller, flow_id: str) -> dict[str, Any]:
        """The document of a deleted flow: flow.json, with `deleted`, `deleted_by` and `restorable_until`."""
        with reading(self._env.engine, caller) as tx:
            return _document(_get_flow(tx, caller, flow_id))

    def source(self, caller: Caller, source_id: str) -> dict[str, Any]:
        """The document of a deleted source: source.json, with the same members as that of a flow."""
        with reading(self._env.engine, caller) as tx:
            return _document(_get_source(tx, caller, source_id))

    @retried
    def restore_flow(self, caller: Caller, flow_id: str, preconditions: Preconditions | None = None) -> None:
        """Restore a flow with its segments, and its source if it went with the flow.

        Raises: AlreadyExists if it does not fit what has been made since; PreconditionFailed.
        """
        with reading(self._env.engine, caller) as tx:
            source_id = _get_flow(tx, caller, flow_id)["source_id"]
        self._restore(caller, source_id, [flow_id], preconditions)

    def _restore(
        self, caller: Caller, source_id: str, flow_ids: Sequence[str], preconditions: Preconditions | None = None
    ) -> int:
        """Restore flows of a source in one transaction. Returns how many, from the first on; at least one."""
        with write_with_events(self._env) as (tx, journal):
            tx.lock(*(f"flow:{flow_id}" for flow_id in flow_ids), f"source:{source_id}")
            deadline = time.monotonic() + _TRANSACTION_S
            for place, flow_id in enumerate(flow_ids):
                if place and time.monotonic() > deadline:
                    return place
                row = _get_flow(tx, caller, flow_id, preconditions)
                if row["source_id"] != source_id:
                    raise Contended(f"flow {flow_id} has just been deleted again by another request; try again")
                Restoration(tx, journal, self._env, caller, row).run()
        return len(flow_ids)

    def restore_source(self, caller: Caller, source_id: str, preconditions: Preconditions | None = None) -> None:
        """Restore all deleted flows of a source, whether it is deleted itself or only they are.

        After a failure, those before it are restored, and the same call restores the others.
        The preconditions are checked once, before the first.

        Raises: Forbidden, before anything is restored, if the caller may not restore one of them; what `restore_flow`
            raises; PreconditionFailed; Unavailable after _RESTORING_S, with at least one flow restored.
        """
        with reading(self._env.engine, caller) as tx:
            flow_ids = _deleted_flows_of(tx, caller, source_id)
            if preconditions is not None:
                source = tx.get("deleted_sources", id=source_id) or tx.get("sources", id=source_id)
                preconditions.check_change(NO_RESOURCE if source is None else source_state(source["doc"]))
        deadline = time.monotonic() + _RESTORING_S
        place = 0
        while place < len(flow_ids):
            if place and time.monotonic() > deadline:
                raise Unavailable(
                    f"{place} of {len(flow_ids)} deleted flows of source {source_id} have been restored so far; send"
                    " the request again for the others",
                    code=error_codes.RESTORATION_UNFINISHED,
                )
            place += self._restore_next(caller, source_id, flow_ids[place : place + _FLOWS_PER_BATCH])

    def _restore_next(self, caller: Caller, source_id: str, flow_ids: Sequence[str]) -> int:
        """Restore the first of these flows, and others after it where all goes well. Returns how many are done with."""
        with suppress(TamsError):  # of which flow, and with what before it, is found out with the first one alone
            return self._restore(caller, source_id, flow_ids)
        try:
            self.restore_flow(caller, flow_ids[0])
        except NotFound as error:
            # It may have been restored by somebody else, or its grace period may just have ended.
            if error.code != error_codes.DELETED_NOT_FOUND:
                raise
        return 1

    def delete_flow(
        self, caller: Caller, flow_id: str, preconditions: Preconditions | None = None
    ) -> dict[str, Any] | None:
        """Delete a deleted flow for good, before its grace period ends.

        Returns None if everything is gone, else the document of the flow delete request (deletion-request.json).
        Raises: PreconditionFailed.
        """
        return self._delete_for_good(flow_id, lambda tx: _get_flow(tx, caller, flow_id, preconditions))

    def delete_expired(self, now: int) -> bool:
        """Delete a batch of the flows for good whose grace period has ended by `now`, in microseconds since 1970.

        Returns False if there were none. Raises the first error, once all others have been tried.
        """
        where = [Compare("expires", "<=", now)]
        with self._env.engine.read_once() as tx:
            order = ("expires", "id")
            rows = tx.select("deleted_flows", where, order=order, limit=_FLOWS_PER_BATCH, columns=["id"])
        errors: list[TamsError] = []
        for row in rows:
            try:
                self._delete_for_good(row["id"], partial(_find_expired, flow_id=row["id"], now=now))
            except TamsError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return bool(rows)

    def _page(
        self,
        caller: Caller,
        table: str,
        kind: str,
        where: Sequence[Condition],
        order: Order,
        request: PageRequest,
    ) -> Page:
        size = request.size(self._env.limits)
        where = [*where, *caller.visible(kind, permission="delete")]
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, table, where, order, request, size, _COLUMNS)
        return Page([_document(row) for row in rows], size, request.reverse, next_key)

    @retried
    def _delete_for_good(self, flow_id: str, find: Callable[[Reader], DeletedFlowRow | None]) -> dict[str, Any] | None:
        """Delete a deleted flow for good, of which there have been the events of an ordinary deletion before.

        find: returns its row, or None if it is not to be deleted; called before the flow is locked, and again then.
        """
        with self._env.engine.read() as tx:
            found = find(tx)
        if found is None:
            return None
        source_id = found["source_id"]
        with self._env.engine.write() as tx:
            tx.lock(f"flow:{flow_id}", f"source:{source_id}")
            row = find(tx)
            if row is None:
                return None
            if row["source_id"] != source_id:
                raise Contended(f"flow {flow_id} has just been deleted again by another request; try again")
            return self._final.delete(tx, row)


def _find_expired(tx: Reader, *, flow_id: str, now: int) -> DeletedFlowRow | None:
    """The row of a deleted flow whose grace period has ended by `now`; None if it has been restored, say."""
    row = tx.get("deleted_flows", id=flow_id)
    return None if row is None or row["expires"] > now else row


def _get_flow(tx: Reader, caller: Caller, flow_id: str, preconditions: Preconditions | None = None) -> DeletedFlowRow:
    found = find_permissions(tx, caller, kept_rows.FLOW, flow_id)
    row = _deletable(tx.get("deleted_flows", id=flow_id) if found else None, found, "flow", flow_id)
    if preconditions is not None:
        preconditions.check_change(flow_state(row["doc"]))
    return row


def _get_source(tx: Reader, caller: Caller, source_id: str) -> DeletedSourceRow:
    found = find_permissions(tx, caller, kept_rows.SOURCE, source_id)
    return _deletable(tx.get("deleted_sources", id=source_id) if found else None, found, "source", source_id)


def _deletable(row: R | None, found: Container[str], what: Literal["flow", "source"], id_: str) -> R:
    """The row of a deleted resource, if the permissions that were found are enough. Raises: NotFound; Forbidden."""
    if row is None:
        raise _not_found(what, id_)
    if "delete" not in found:
        raise not_permitted(what, id_, "delete")
    return row


def _deleted_flows_of(tx: Reader, caller: Caller, source_id: str) -> list[str]:
    """The ids of all deleted flows of a source, oldest first.

    Raises: NotFound if there are none, or if the caller has no permission on the source, be it deleted or not;
        Forbidden if it may not delete the source, or one of the flows.
    """
    found = find_permissions(tx, caller, kept_rows.SOURCE, source_id) or find_permissions(
        tx, caller, SOURCE_KIND, source_id
    )
    where = equals(source_id=source_id)
    rows = tx.select("deleted_flows", where, order=("created", "id"), columns=["id"]) if found else []
    ids = [row["id"] for row in rows]
    if not ids:
        raise _not_found("source", source_id)
    permissions = find_all_permissions(tx, caller, kept_rows.FLOW, ids)
    if "delete" not in found or any("delete" not in permissions.get(id_, ()) for id_ in ids):
        raise not_permitted("source", source_id, "delete")
    return ids


def _not_found(what: str, id_: str) -> NotFound:
    return NotFound(
        f"there is no deleted {what} {id_} that can be restored",
        code=error_codes.DELETED_NOT_FOUND,
        field=f"{what}_id",
    )


def _document(row: DeletedFlowRow | DeletedSourceRow) -> dict[str, Any]:
    return {
        **row["doc"],
        "created": rfc3339_seconds(row["created"]),
        "deleted": rfc3339(row["deleted"]),
        "deleted_by": row["deleted_by"],
        "restorable_until": rfc3339(row["expires"]),
    }
