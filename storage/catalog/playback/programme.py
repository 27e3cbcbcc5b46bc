"""The flows that make up the programme of a source or of a multi flow."""

from collections.abc import Mapping, Sequence
from typing import Final

from storage import error_codes
from storage.catalog.access.checks import not_found, require
from storage.catalog.caller import Caller
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.playback.flow_media import FLOW_COLUMNS
from storage.errors import NotFound, Unsuitable
from storage.playback.suitability import Protocol, check_suitable, is_excluded
from storage.tables.conditions import Compare, Condition, In, equals
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader

MULTI: Final = "urn:x-nmos:format:multi"
_DEEPEST: Final = 3
_MOST_FLOWS: Final = 100
"""In a programme, and as many of one collection."""
_MOST_COLLECTORS: Final = 100
_MOST_READ: Final = 500
"""Flows that are read to find those of a programme, most of which cannot be played then."""


def read_source_flows(tx: Reader, caller: Caller, source_id: str, protocol: Protocol) -> list[FlowRow]:
    """The flows of a source that a protocol can carry, in the order of their creation.

    Raises: NotFound, Forbidden; Unsuitable if there are none.
    """
    require(tx, caller, "source", source_id, "read")
    source = tx.get("sources", id=source_id)
    if source is None:
        raise not_found("source", source_id)
    if is_excluded(source["doc"]):
        raise Unsuitable(
            f"source {source_id} is not for playback: its tag hls_exclude is true", field="tags.hls_exclude"
        )
    where = [*equals(source_id=source_id), *caller.visible(KIND)]
    rows = tx.select("flows", where, order=("created", "id"), limit=_MOST_FLOWS, columns=FLOW_COLUMNS)
    if not rows:
        raise NotFound(f"source {source_id} has no flows to play", code=error_codes.NOTHING_TO_PLAY, field="source_id")
    return playable(tx, caller, rows, protocol)


def is_programme(flow: FlowRow) -> bool:
    """Whether a flow stands for the flows that it collects, and has no media of its own."""
    return flow["doc"]["format"] == MULTI and flow["doc"].get("container") is None


def playable(tx: Reader, caller: Caller, rows: Sequence[FlowRow], protocol: Protocol) -> list[FlowRow]:
    """Those of the flows that a protocol can carry; instead of a multi flow the flows that it collects, if it can.

    Costs two queries for each level of collections, however many flows collect one another.

    Raises: Unsuitable, with the first reason, if there are none.
    """
    return _Programme(*_read_collected(tx, caller, rows), protocol).playable([row["id"] for row in rows])


class _Programme:
    """Chooses the flows to play. flows: all that may be a part, by id. members: of the flows that collect some."""

    def __init__(self, flows: Mapping[str, FlowRow], members: Mapping[str, Sequence[str]], protocol: Protocol) -> None:
        self._flows = flows
        self._members = members
        self._protocol = protocol
        self._found: list[FlowRow] = []
        self._plays: dict[str, bool] = {}
        self._reason: Unsuitable | None = None

    def playable(self, ids: Sequence[str]) -> list[FlowRow]:
        """Raises: Unsuitable."""
        for id_ in ids:
            self._add(id_)
        if not self._found and self._reason is not None:
            raise self._reason
        return self._found[:_MOST_FLOWS]

    def _add(self, id_: str) -> bool:
        """Add a flow, or what it collects, unless that has been done. Returns whether there is anything to play."""
        if id_ in self._plays or len(self._found) >= _MOST_FLOWS:
            return self._plays.get(id_, False)
        # A flow that collects itself, however indirectly, adds nothing to itself.
        self._plays[id_] = False
        added = [self._add(member) for member in self._members.get(id_, ())]
        self._plays[id_] = any(added) or self._add_itself(self._flows[id_])
        return self._plays[id_]

    def _add_itself(self, row: FlowRow) -> bool:
        try:
            check_suitable(row["doc"], self._protocol)
        except Unsuitable as reason:
            self._reason = self._reason or reason
            return False
        self._found.append(row)
        return True


def _read_collected(
    tx: Reader, caller: Caller, rows: Sequence[FlowRow]
) -> tuple[dict[str, FlowRow], dict[str, list[str]]]:
    """The flows, with those that multi flows among them collect, and the ids of what each of these collects.

    They are read level by level, each flow once, and flows that the caller may not read are left out.
    """
    flows = {row["id"]: row for row in rows}
    members: dict[str, list[str]] = {}
    level = list(rows)
    for _ in range(_DEEPEST):
        collecting = [row["id"] for row in level if row["doc"]["format"] == MULTI and not is_excluded(row["doc"])]
        collecting = collecting[: _MOST_COLLECTORS - len(members)]
        if not collecting:
            break
        where: list[Condition] = [In("collector_id", collecting), Compare("position", "<", _MOST_FLOWS)]
        members.update((id_, []) for id_ in collecting)
        for link in tx.select("collections", where, order=("collector_id", "position")):
            members[link["collector_id"]].append(link["member_id"])
        ids = dict.fromkeys(member for id_ in collecting for member in members[id_])
        new = [id_ for id_ in ids if id_ not in flows][: _MOST_READ - len(flows)]
        level = tx.select("flows", [In("id", new), *caller.visible(KIND)], columns=FLOW_COLUMNS) if new else []
        by_id = {row["id"]: row for row in level}
        level = [by_id[id_] for id_ in new if id_ in by_id]
        flows |= by_id
    return flows, {id_: [each for each in ids if each in flows] for id_, ids in members.items()}
