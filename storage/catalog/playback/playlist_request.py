"""What a player requests of a playlist, and what type of playlist it gets."""

from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlencode

from storage.timerange import ETERNITY, TimeRange

PlaylistType = Literal["vod", "event", "live"]
Frames = Literal["all", "key"]
WINDOW_S: Final = 60


@dataclass(frozen=True, slots=True)
class PlaylistRequest:
    """type: None chooses vod for what is complete, else event with a timerange and live without one.

    timerange: segments that overlap it are listed. window_s: how many seconds a live playlist has.
    frames: "key" lists the pictures with which segments begin, in place of the segments.
    reload: whether a player reads again a manifest that it plays already, in which nothing may move.
    """

    timerange: TimeRange = field(default=ETERNITY)
    type: PlaylistType | None = None
    window_s: int = WINDOW_S
    frames: Frames = "all"
    reload: bool = False

    def type_of(self, *, complete: bool) -> PlaylistType:
        """The type of the playlist. complete: nothing will be added to what is requested."""
        if self.type is not None:
            return self.type
        if complete:
            return "vod"
        return "live" if self.timerange == ETERNITY else "event"

    def query(self, type_: PlaylistType, frames: Frames = "all") -> str:
        """The query with which the same is requested of a flow, encoded.

        The type is always a part of it, so that a playlist stays what it was when the flow is completed.
        """
        given = {"type": str(type_)}
        if self.timerange != ETERNITY:
            given["timerange"] = str(self.timerange)
        if self.window_s != WINDOW_S:
            given["window"] = str(self.window_s)
        if frames != "all":
            given["frames"] = frames
        if self.reload:
            given["reload"] = "true"
        return urlencode(given)
