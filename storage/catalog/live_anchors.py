"""The rows that hold the anchors of live playlists (storage.playback.numbering), one for each flow played live."""

from dataclasses import dataclass
from typing import Final

from storage.playback.numbering import Anchor, read_anchor
from storage.tables.conditions import equals
from storage.tables.transaction import Reader, Writer

PREFIX: Final = "live_playlist:"
"""Of their keys in the table `service`, before the id of the flow."""


@dataclass(frozen=True, slots=True)
class StoredAnchor:
    """target_s: the greatest target duration that live playlists of the flow have had, in seconds."""

    anchor: Anchor
    target_s: int


def anchor_key(flow_id: str) -> str:
    """The key of a flow's row, which is the name of its lock too."""
    return f"{PREFIX}{flow_id}"


def read_stored_anchor(tx: Reader, flow_id: str) -> StoredAnchor | None:
    """The anchor of a flow; None if it has never been played live."""
    row = tx.get("service", key=anchor_key(flow_id))
    return None if row is None else StoredAnchor(read_anchor(row["value"]), row["value"].get("target_s", 1))


def store_anchor(tx: Writer, flow_id: str, stored: StoredAnchor) -> None:
    """Replace the anchor of a flow, which the caller has locked."""
    delete_anchor(tx, flow_id)
    value = {**stored.anchor.document(), "target_s": stored.target_s}
    tx.insert("service", [{"key": anchor_key(flow_id), "value": value}])


def delete_anchor(tx: Writer, flow_id: str) -> None:
    """Delete the anchor of a flow, if it has one."""
    tx.delete("service", equals(key=anchor_key(flow_id)))
