"""Playlists of flows and sources, as players read them."""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final, Literal
from urllib.parse import urlencode

from storage import error_codes
from storage.catalog.access.backends import readable_backends
from storage.catalog.access.checks import require
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.flows import flow_rows
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.live_anchors import read_stored_anchor
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.playback.completeness import changed_recently, ends_before_flow, is_complete, segment_seconds
from storage.catalog.playback.flow_media import FLOW_COLUMNS, Media, read_timerange, read_window
from storage.catalog.playback.live_numbers import LiveWindow, live_numbers
from storage.catalog.playback.measurements import Measurements, Sample, read_sample
from storage.catalog.playback.media_urls import read_urls
from storage.catalog.playback.programme import MULTI, playable, read_source_flows
from storage.catalog.playback.recent_texts import RecentTexts
from storage.catalog.playback.signed_playlists import SignedPlaylists
from storage.errors import NotFound, Unavailable, Unsuitable
from storage.media.url_keys import UrlKeys
from storage.playback.media_playlist import Kind, MediaPlaylist, write_media_playlist
from storage.playback.media_segment import slack_of
from storage.playback.multivariant import Rendition, write_multivariant_playlist
from storage.playback.suitability import check_suitable
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader
from storage.timerange import ETERNITY, NS, TimeRange

PlaylistType = Literal["vod", "event", "live"]
WINDOW_S: Final = 60
_MEASURING_S: Final = 10.0
"""How long stores may take to measure the flows of one programme, each of which is a wait of its own."""


@dataclass(frozen=True, slots=True)
class PlaylistRequest:
    """type: None chooses vod for what is complete, else event with a timerange and live without one.

    timerange: segments that overlap it are listed. window_s: how many seconds a live playlist has.
    """

    timerange: TimeRange = field(default=ETERNITY)
    type: PlaylistType | None = None
    window_s: int = WINDOW_S


class Playback:
    """The playlists of one service. keys: sign the URLs of media playlists in multivariant ones; None to sign none."""

    def __init__(self, env: Environment, keys: UrlKeys | None = None) -> None:
        self._env = env
        # With rules on classes, a signature would outlive a change of classes.
        self.signed = SignedPlaylists(None if env.access.enabled else keys)
        self._recent = RecentTexts()
        self._measurements = Measurements(env)

    def flow_playlist(self, caller: Caller, flow_id: str, request: PlaylistRequest, base_url: str) -> bytes:
        """The media playlist of a flow, at most a second old; of a multi flow without a container, a multivariant one.

        base_url: origin and base path of this server, for URLs of its own media store.
        Raises: NotFound, Forbidden; Unsuitable for what HLS cannot carry; Invalid for too many segments.
        """

        def write(filters: GetUrlFilter) -> str:
            with self._env.engine.read() as tx:
                flow = flow_rows.get(tx, caller, flow_id, FLOW_COLUMNS)
                if flow["doc"]["format"] == MULTI and flow["doc"].get("container") is None:
                    samples = self._samples(tx, playable(tx, caller, [flow]), request, filters)
                else:
                    samples = None
            if samples is not None:
                return self._write_multivariant(f"flow {flow_id}", samples, request)
            return self._write_media(caller, flow_id, request, filters, base_url)

        return self._written(caller, KIND, flow_id, (request, base_url), write)

    def source_playlist(self, caller: Caller, source_id: str, request: PlaylistRequest) -> bytes:
        """The multivariant playlist of a source, at most a second old. Its URIs are relative to its own.

        Raises: NotFound, Forbidden; Unsuitable if players can play none of its flows.
        """

        def write(filters: GetUrlFilter) -> str:
            with self._env.engine.read() as tx:
                samples = self._samples(tx, read_source_flows(tx, caller, source_id), request, filters)
            return self._write_multivariant(f"source {source_id}", samples, request)

        return self._written(caller, "source", source_id, (request,), write)

    def _written(
        self,
        caller: Caller,
        kind: Literal["flow", "source"],
        id_: str,
        parts: tuple[Hashable, ...],
        write: Callable[[GetUrlFilter], str],
    ) -> bytes:
        """What `write` returns, or has returned within a second for a caller with the same rights.

        A multivariant playlist depends on which flows the caller may read, which its groups tell.
        """
        backends = readable_backends(self._env, caller)
        if caller.is_restricted:
            with self._env.engine.read_once() as tx:
                require(tx, caller, kind, id_, "read")
        groups = caller.groups if caller.is_restricted else None
        return self._recent.get((kind, id_, groups, *parts), lambda: write(GetUrlFilter(backends=backends)).encode())

    def _samples(
        self, tx: Reader, flows: Sequence[FlowRow], request: PlaylistRequest, filters: GetUrlFilter
    ) -> list[Sample]:
        found = [read_sample(tx, self._env, flow, request.timerange, filters) for flow in flows]
        return [each for each in found if each is not None]

    def _write_multivariant(self, what: str, samples: Sequence[Sample], request: PlaylistRequest) -> str:
        if not samples:
            raise NotFound(
                f"{what} has nothing to play in the timerange", code=error_codes.NOTHING_TO_PLAY, field="timerange"
            )
        renditions = []
        deadline = time.monotonic() + _MEASURING_S
        for sample in samples:
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"the media of {what} takes long to measure; what has been measured is kept: try again"
                )
            measured = self._measurements.measure(sample)
            doc, first = sample.flow["doc"], sample.segments[0]
            complete = is_complete(sample.flow, request.timerange, self._env.clock())
            uri = self.signed.relative_uri(doc["id"], _query(request, _type_of(request, complete=complete)))
            renditions.append(Rendition(doc, uri, measured.codecs, measured.peak, measured.average, first.ts_offset))
        return write_multivariant_playlist(renditions)

    def _write_media(
        self, caller: Caller, flow_id: str, request: PlaylistRequest, filters: GetUrlFilter, base_url: str
    ) -> str:
        with self._env.engine.read() as tx:
            flow = flow_rows.get(tx, caller, flow_id, FLOW_COLUMNS)
            check_suitable(flow["doc"])
            now = self._env.clock()
            complete = is_complete(flow, request.timerange, now)
            recent = changed_recently(flow, now)
            type_, media = _read(tx, flow, request, complete=complete, recent=recent)
            _check_not_empty(flow_id, media, complete=complete)
            urls = read_urls(tx, self._env, media.segments, filters, base_url)
        playlist = MediaPlaylist(
            kind=_kind_of(request, type_, complete=complete, recent=recent),
            complete=complete,
            target_s=max(1, ceil(segment_seconds(flow["doc"]))),
            start=request.timerange.start if type_ != "live" else None,
            left_out=media.left_out,
            before=media.before,
        )
        if type_ == "live" and media.segments:
            playlist = self._with_numbers(playlist, flow, request, media)
        return write_media_playlist(media.segments, urls, playlist)

    def _with_numbers(
        self, playlist: MediaPlaylist, flow: FlowRow, request: PlaylistRequest, media: Media
    ) -> MediaPlaylist:
        is_last = not ends_before_flow(flow, request.timerange)
        window = LiveWindow(flow["id"], media.segments, slack_of(flow["doc"]), playlist.target_s, is_last)
        numbers = live_numbers(self._env.engine, window)
        first = numbers.segments[0]
        return replace(
            playlist,
            sequence=first.sequence,
            discontinuity_sequence=first.discontinuity,
            target_s=numbers.target_s,
        )


def _query(request: PlaylistRequest, type_: PlaylistType) -> str:
    """The query with which the same is requested of a flow, encoded.

    The type is always a part of it, so that a playlist stays what it was when the flow is completed.
    """
    values = {"type": type_, "timerange": None if request.timerange == ETERNITY else str(request.timerange)}
    given = {name: value for name, value in values.items() if value is not None}
    if request.window_s != WINDOW_S:
        given["window"] = str(request.window_s)
    return urlencode(given)


def _type_of(request: PlaylistRequest, *, complete: bool) -> PlaylistType:
    if request.type is not None:
        return request.type
    if complete:
        return "vod"
    return "live" if request.timerange == ETERNITY else "event"


def _kind_of(request: PlaylistRequest, type_: PlaylistType, *, complete: bool, recent: bool) -> Kind | None:
    """What the playlist says of its type, which must not change while players reload it (RFC 8216, section 6.2.1)."""
    if type_ == "event":
        return "EVENT"
    if type_ == "live" or not complete:
        return None
    if recent and request.timerange != ETERNITY and request.type is None:
        return "EVENT"
    return None if recent and request.type == "vod" else "VOD"


def _read(
    tx: Reader, flow: FlowRow, request: PlaylistRequest, *, complete: bool, recent: bool
) -> tuple[PlaylistType, Media]:
    """The type of a playlist, and what it lists.

    A flow that has just been completed keeps the type live for those who have played it so by the same URL.
    """
    slack = slack_of(flow["doc"])
    type_ = _type_of(request, complete=complete)
    was_live = complete and recent and request.type is None and request.timerange == ETERNITY
    stored = read_stored_anchor(tx, flow["id"]) if was_live else None
    if type_ == "live" or stored is not None:
        media = read_window(tx, flow, request.timerange, slack, request.window_s * NS)
        if stored is None or (media.segments and stored.anchor.segment.start >= media.segments[0].start):
            return "live", media
    return type_, read_timerange(tx, flow, request.timerange, slack)


def _check_not_empty(flow_id: str, media: Media, *, complete: bool) -> None:
    if media.segments:
        return
    if media.left_out:
        raise Unsuitable(
            f"all {media.left_out} segments of flow {flow_id} in the timerange use only a part of their object, which"
            " HLS cannot play without the rest of it"
        )
    if complete:
        raise NotFound(
            f"flow {flow_id} has no segments in the timerange", code=error_codes.NOTHING_TO_PLAY, field="timerange"
        )
