"""Cut a run of video to the frame: copy what can be copied, re-encode the edges.

Pictures are copied from the first clean key frame in the window on. Those before it, and those at the end that depend
on pictures after it, are decoded and encoded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tams_server.client_media.edge_encoder import EdgeDecoder, EdgeEncoder
from tams_server.client_media.parameter_sets import is_clean_start
from tams_server.client_media.stored_frames import Coding, StoredFrame


@dataclass(slots=True)
class Group:
    """A key frame and what follows it in decoding order, up to the next. clean: see parameter_sets."""

    frames: list[StoredFrame] = field(default_factory=list)
    clean: bool = False

    @property
    def key(self) -> int:
        """When the key frame is shown, in ns. Frames that are shown before it lead."""
        return self.frames[0].start

    @property
    def first(self) -> int:
        """When the first of its frames is shown, in ns."""
        return min(frame.start for frame in self.frames)


@dataclass(slots=True)
class ExactFrame:
    """A frame to write, in decoding order. encoded: re-encoded, with the parameter sets of the edge."""

    frame: StoredFrame
    encoded: bool


def groups(frames: Iterator[StoredFrame], coding: Coding) -> Iterator[Group]:
    """Group frames in decoding order by key frames. Frames before the first cannot be decoded, and are left out."""
    group: Group | None = None
    for frame in frames:
        if frame.key:
            if group is not None:
                yield group
            group = Group([], is_clean_start(frame.data, coding.config, coding.codec))
        if group is not None:
            group.frames.append(frame)
    if group is not None:
        yield group


class ExactCut:
    """Cuts one run to the window [start, end), in ns. encoder: makes one for each edge."""

    def __init__(
        self, coding: Coding, start: int, end: int, encoder: Callable[[], EdgeEncoder], *, encode_all: bool = False
    ) -> None:
        self._coding = coding
        self._start = start
        self._end = end
        self._encoder = encoder
        self._encode_all = encode_all

    def cut(self, frames: Iterator[StoredFrame]) -> Iterator[ExactFrame]:
        """The frames of the window, in decoding order. Raises MediaError for what cannot be decoded."""
        head = _Edge(self._coding, self._encoder)
        before: Group | None = None
        copying = False
        for group in groups(frames, self._coding):
            if not copying and self._copies_from(group):
                leading = [each for each in group.frames if each.start <= group.key]
                yield from head.encode(leading, self._start, min(group.key, self._end))
                yield from head.finish(self._start, min(group.key, self._end))
                if group.key >= self._end:
                    return
                copying, group.frames = True, [each for each in group.frames if each.start >= group.key]
            if not copying:
                yield from head.encode(group.frames, self._start, self._end)
                if group.first >= self._end:
                    break
                continue
            if all(frame.start < self._end for frame in group.frames):
                yield from (ExactFrame(frame, False) for frame in group.frames)
                before = group
                continue
            yield from self._tail(before, group)
            return
        if not copying:
            yield from head.finish(self._start, self._end)

    def _copies_from(self, group: Group) -> bool:
        return group.clean and group.key >= self._start and not self._encode_all

    def _tail(self, before: Group | None, group: Group) -> Iterator[ExactFrame]:
        wanted = [frame for frame in group.frames if frame.start < self._end]
        if group.frames[: len(wanted)] == wanted:
            # What is shown before the end comes before everything else in decoding order: nothing depends on the rest.
            yield from (ExactFrame(frame, False) for frame in wanted)
            return
        edge = _Edge(self._coding, self._encoder)
        leads = any(frame.start < group.key for frame in group.frames)
        fed = [*(before.frames if before is not None and leads else []), *group.frames]
        yield from edge.encode(fed, group.first, self._end)
        yield from edge.finish(group.first, self._end)


def whole_groups(frames: Iterator[StoredFrame], coding: Coding, start: int, end: int) -> Iterator[ExactFrame]:
    """Copy the groups that overlap the window [start, end), whole, so that nothing is re-encoded."""
    is_first = True
    for group in groups(frames, coding):
        if group.key >= end:
            return
        if max(frame.end for frame in group.frames) > start and (group.clean or not is_first):
            yield from (ExactFrame(each, False) for each in group.frames if not is_first or each.start >= group.key)
            is_first = False


class _Edge:
    """Decodes what it is fed, and encodes the pictures of a window. The decoder is opened when it is needed."""

    def __init__(self, coding: Coding, encoder: Callable[[], EdgeEncoder]) -> None:
        self._coding = coding
        self._make = encoder
        self._decoder: EdgeDecoder | None = None
        self._encoder: EdgeEncoder | None = None

    def encode(self, frames: list[StoredFrame], start: int, end: int) -> Iterator[ExactFrame]:
        if self._decoder is None:
            if not any(start <= frame.start < end for frame in frames) and frames[-1].start >= end:
                return
            self._decoder = EdgeDecoder(self._coding)
        for frame in frames:
            for picture in self._decoder.feed(frame):
                yield from self._picture(picture, start, end)

    def finish(self, start: int, end: int) -> Iterator[ExactFrame]:
        if self._decoder is not None:
            for picture in self._decoder.feed(None):
                yield from self._picture(picture, start, end)
        if self._encoder is not None:
            yield from (ExactFrame(frame, True) for frame in self._encoder.feed(None))
        self._decoder = self._encoder = None

    def _picture(self, picture: object, start: int, end: int) -> Iterator[ExactFrame]:
        shown = getattr(picture, "pts", None)
        if shown is None or not start <= shown < end:
            return
        if self._encoder is None:
            self._encoder = self._make()
        yield from (ExactFrame(frame, True) for frame in self._encoder.feed(picture))
