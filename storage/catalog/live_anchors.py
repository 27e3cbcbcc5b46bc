"""The rows of flows played live, on which all processes agree: the anchors of their numbers, and where periods begin.

Anchors are those of HLS (storage.playback.numbering), periods those of DASH (storage.catalog.playback.period_starts).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.playback.numbering import Anchor, read_anchor
from storage.tables.conditions import equals
from storage.tables.transaction import Reader, Writer

PREFIX: Final = "live_playlist:"
"""Of their keys in the table `service`, before the id of the flow."""
_PERIODS: Final = "period_starts"
"""The member of a row with the beginnings of periods. The others are those of the anchor."""


@dataclass(frozen=True, slots=True)
class StoredAnchor:
    """target_s: the greatest target duration that live playlists of the flow have had, in seconds."""

    anchor: Anchor
    target_s: int


@dataclass(frozen=True, slots=True)
class PeriodStart:
    """Where a period begins. time: on the timeline, in ns. programme: which flows are played together."""

    time: int
    programme: str


def anchor_key(flow_id: str) -> str:
    """The key of a flow's row, which is the name of its lock too."""
    return f"{PREFIX}{flow_id}"


def read_stored_anchor(tx: Reader, flow_id: str) -> StoredAnchor | None:
    """The anchor of a flow; None if it has never been played live by HLS."""
    value = _read(tx, flow_id)
    return StoredAnchor(read_anchor(value), value.get("target_s", 1)) if "segment" in value else None


def store_anchor(tx: Writer, flow_id: str, stored: StoredAnchor) -> None:
    """Replace the anchor of a flow, which the caller has locked."""
    _update(tx, flow_id, {**stored.anchor.document(), "target_s": stored.target_s})


def read_period_starts(tx: Reader, flow_id: str) -> list[PeriodStart]:
    """Where periods of manifests that the flow leads have begun, the earliest first."""
    return [PeriodStart(time, programme) for time, programme in _read(tx, flow_id).get(_PERIODS, ())]


def store_period_starts(tx: Writer, flow_id: str, starts: Sequence[PeriodStart]) -> None:
    """Replace the beginnings of periods of a flow, which the caller has locked."""
    _update(tx, flow_id, {_PERIODS: [[each.time, each.programme] for each in starts]})


def delete_anchor(tx: Writer, flow_id: str) -> None:
    """Delete what is recorded of a flow played live, if anything is."""
    tx.delete("service", equals(key=anchor_key(flow_id)))


def _read(tx: Reader, flow_id: str) -> dict[str, Any]:
    row = tx.get("service", key=anchor_key(flow_id))
    return {} if row is None else dict(row["value"])


def _update(tx: Writer, flow_id: str, members: dict[str, Any]) -> None:
    value = _read(tx, flow_id) | members
    delete_anchor(tx, flow_id)
    tx.insert("service", [{"key": anchor_key(flow_id), "value": value}])
