"""What depends on a flow, on segments or on a source that is to be deleted only if nothing does (F3).

Each check runs in the transaction of the deletion, after its locks have been taken. It reads at most `_COUNTED` rows of
a kind.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from storage import error_codes
from storage.catalog.access.checks import find_permissions
from storage.catalog.caller import Caller
from storage.catalog.flows.flow_filter import KIND
from storage.errors import Dependents, InUse
from storage.tables.conditions import Compare, Exists, In, equals
from storage.tables.rows import FlowRow, SegmentRow
from storage.tables.transaction import Reader

_COUNTED: Final = 1000
"""Dependents of each kind that are counted; there may be more."""
_NAMED: Final = 20
_IDS_PER_QUERY: Final = 500


def check_flow_is_unused(tx: Reader, caller: Caller, flow: FlowRow, now: int) -> None:
    """Check that a flow has no content, no upload is awaited for it, and no other flow collects it.

    Objects that other flows use do not count: they lose nothing, although the flow was the first to use them (OBJ-07).
    The caller holds the locks of the flow and of collections. now: microseconds since 1970.

    Raises: InUse, which names the dependents to a caller that may read the flow.
    """
    flow_id, limit = flow["id"], _COUNTED + 1
    segments = tx.select(
        "segments",
        equals(flow_id=flow_id),
        order=("start_ns",),
        limit=limit,
        columns=["start_ns", "timerange", "object_id"],
    )
    awaited = [*equals(flow_id=flow_id, state="allocated"), Compare("expires", ">", now)]
    objects = tx.select("objects", awaited, limit=limit, columns=["id", "state"])
    collectors = tx.select(
        "collections",
        [*equals(member_id=flow_id), Compare("collector_id", "!=", flow_id)],
        order=("member_id", "collector_id"),
        limit=limit,
        columns=["member_id", "collector_id"],
    )
    pending = tx.select(
        "deletion_requests",
        [*equals(flow_id=flow_id), In("status", ("created", "started"))],
        limit=limit,
        columns=["id"],
    )
    found = [
        _dependents("segments", [{"timerange": row["timerange"], "object_id": row["object_id"]} for row in segments]),
        _dependents("objects", [{"id": row["id"], "state": row["state"]} for row in objects]),
        _dependents("collected_by", [{"id": id_} for id_ in dict.fromkeys(row["collector_id"] for row in collectors)]),
        _dependents("flow_delete_requests", [{"id": row["id"]} for row in pending]),
    ]
    if any(found):
        may_read = caller.may(["read"]) and "read" in find_permissions(tx, caller, KIND, flow_id)
        raise InUse(f"flow {flow_id}", [each for each in found if each], code=error_codes.FLOW_IN_USE, named=may_read)


def check_objects_are_unused(tx: Reader, caller: Caller, flow_id: str, deleted: Sequence[SegmentRow]) -> None:
    """Check that no other flow which the caller may read uses the media objects of segments that were just deleted.

    Flows that the caller may not read lose nothing either, since an object is kept as long as a flow uses it. To count
    them would tell that they exist.

    deleted: the segments. Their references have been removed in this transaction, so that no other one can add a
    reference to one of the objects before this one ends.

    Raises: InUse.
    """
    uses: list[dict[str, Any]] = []
    ids = sorted({row["object_id"] for row in deleted})
    readable = Exists("flows", "id", "flow_id", caller.visible("flow"))
    for start in range(0, len(ids), _IDS_PER_QUERY):
        rows = tx.select(
            "object_refs",
            [In("object_id", ids[start : start + _IDS_PER_QUERY]), Compare("flow_id", "!=", flow_id), readable],
            order=("object_id", "flow_id"),
            limit=_COUNTED + 1 - len(uses),
        )
        uses += [
            {"object_id": row["object_id"], "flow_id": row["flow_id"], "segments": row["segments"]} for row in rows
        ]
        if len(uses) > _COUNTED:
            break
    found = _dependents("object_references", uses)
    if found:
        what = f"segments of flow {flow_id}"
        raise InUse(what, [found], code=error_codes.SEGMENTS_IN_USE, named=caller.may(["read"]))


def check_source_is_unused(tx: Reader, caller: Caller, source_id: str) -> None:
    """Check that a source has no flows, and is in no collection.

    The caller holds the locks of the source and of collections. Raises: InUse, which names flows that the caller may
    read.
    """
    limit = _COUNTED + 1
    any_flow = tx.select("flows", equals(source_id=source_id), limit=1, columns=["id"])
    where = [*equals(source_id=source_id), *caller.visible("flow")]
    flows = tx.select("flows", where, order=("created", "id"), limit=limit, columns=["id", "created"])
    collectors = tx.select(
        "source_collections",
        [*equals(member_id=source_id), Compare("collector_id", "!=", source_id)],
        order=("member_id", "collector_id"),
        limit=limit,
        columns=["member_id", "collector_id"],
    )
    found = [
        _dependents("flows", [{"id": row["id"]} for row in flows]),
        _dependents("collected_by", [{"id": id_} for id_ in dict.fromkeys(row["collector_id"] for row in collectors)]),
    ]
    if any_flow or any(found):
        shown = [each for each in found if each]
        may_read = caller.may(["read"]) and "read" in find_permissions(tx, caller, "source", source_id)
        raise InUse(f"source {source_id}", shown, code=error_codes.SOURCE_IN_USE, named=may_read)


def _dependents(kind: str, found: Iterable[dict[str, Any]]) -> Dependents | None:
    """The dependents of one kind, of which one more was read than is counted; None if there are none."""
    documents = list(found)
    if not documents:
        return None
    more = len(documents) > _COUNTED
    return Dependents(kind, _COUNTED if more else len(documents), more, tuple(documents[:_NAMED]))
