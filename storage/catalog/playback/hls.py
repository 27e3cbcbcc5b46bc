"""Playlists of HLS: of one flow, and of the flows of a programme."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Final

from storage import error_codes
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.flows import flow_rows
from storage.catalog.live_anchors import read_stored_anchor
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.playback.completeness import (
    changed_recently,
    ends_before_flow,
    is_complete,
    is_settled,
    segment_seconds,
)
from storage.catalog.playback.flow_media import FLOW_COLUMNS, Media, read_timerange, read_window
from storage.catalog.playback.key_frames import MOST_PICTURES
from storage.catalog.playback.live_alignment import align_numbers
from storage.catalog.playback.live_numbers import LiveWindow, live_numbers, next_numbers
from storage.catalog.playback.measurements import Sample, read_sample
from storage.catalog.playback.media_urls import read_urls
from storage.catalog.playback.object_content import Deadline, read_stored_instances
from storage.catalog.playback.object_parts import UNKNOWN_PART, PartSample, read_part_sample
from storage.catalog.playback.playlist_request import PlaylistRequest, PlaylistType
from storage.catalog.playback.playlist_text import PlaylistText, playlist_text
from storage.catalog.playback.programme import is_programme, playable, read_source_flows
from storage.catalog.playback.readings import Readings
from storage.catalog.playback.signed_playlists import SignedPlaylists
from storage.errors import Invalid, NotFound, Unsuitable
from storage.playback.bit_rates import peak_rate
from storage.playback.gaps import with_gaps
from storage.playback.media_playlist import Kind, MediaPlaylist, write_media_playlist
from storage.playback.media_segment import slack_of, thinned
from storage.playback.multivariant import KeyFrameRendition, Rendition, write_multivariant_playlist
from storage.playback.suitability import HLS, check_suitable
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader
from storage.timerange import ETERNITY, NS

_SAMPLED_PICTURES: Final = 5
"""Of which the bit rate of key frames is measured."""


class HlsPlaylists:
    """Writes playlists. signed: makes the URLs of media playlists in multivariant ones."""

    def __init__(self, env: Environment, signed: SignedPlaylists, readings: Readings) -> None:
        self._env = env
        self._signed = signed
        self._readings = readings

    def write_flow(
        self, caller: Caller, flow_id: str, request: PlaylistRequest, filters: GetUrlFilter, base_url: str
    ) -> PlaylistText:
        """The playlist of a flow, as `Playback.flow_playlist` describes it."""
        with self._env.engine.read() as tx:
            flow = flow_rows.get(tx, caller, flow_id, FLOW_COLUMNS)
            samples = None
            if is_programme(flow) and request.frames == "all":
                samples = self._samples(tx, playable(tx, caller, [flow], HLS), request, filters)
        if samples is not None:
            return self._write_multivariant(f"flow {flow_id}", samples, request)
        return self._write_media(caller, flow_id, request, filters, base_url)

    def write_source(
        self, caller: Caller, source_id: str, request: PlaylistRequest, filters: GetUrlFilter
    ) -> PlaylistText:
        """The playlist of a source, as `Playback.source_playlist` describes it."""
        with self._env.engine.read() as tx:
            samples = self._samples(tx, read_source_flows(tx, caller, source_id, HLS), request, filters)
        return self._write_multivariant(f"source {source_id}", samples, request)

    def _samples(
        self, tx: Reader, flows: Sequence[FlowRow], request: PlaylistRequest, filters: GetUrlFilter
    ) -> list[Sample]:
        found = [read_sample(tx, self._env, flow, request.timerange, filters) for flow in flows]
        return [each for each in found if each is not None]

    def _write_multivariant(self, what: str, samples: Sequence[Sample], request: PlaylistRequest) -> PlaylistText:
        if not samples:
            raise NotFound(
                f"{what} has nothing to play in the timerange", code=error_codes.NOTHING_TO_PLAY, field="timerange"
            )
        deadline = Deadline()
        playable_samples = [each for each in samples if self._is_playable(each, deadline)]
        if not playable_samples:
            raise Unsuitable(f"all segments of {what} in the timerange use {UNKNOWN_PART}")
        text = write_multivariant_playlist(
            [self._rendition(what, each, request, deadline) for each in playable_samples]
        )
        now = self._env.clock()
        live = [each.flow for each in playable_samples if self._type_of(each.flow, request) == "live"]
        if live and request.timerange == ETERNITY:
            align_numbers(self._env.engine, live, request.window_s)
        return playlist_text(text, is_settled=all(is_settled(each.flow, request.timerange, now) for each in samples))

    def _is_playable(self, sample: Sample, deadline: Deadline) -> bool:
        """Whether a flow of which only parts of objects are used has some of which the bytes are known."""
        if not sample.parts:
            return True
        found = self._readings.parts.find(PartSample(sample.flow, sample.parts, sample.instances), deadline)
        return not all(each.is_gap for each in found)

    def _rendition(self, what: str, sample: Sample, request: PlaylistRequest, deadline: Deadline) -> Rendition:
        deadline.check(what)
        measured = self._readings.measurements.measure(sample)
        doc, first = sample.flow["doc"], sample.segments[0]
        type_ = self._type_of(sample.flow, request)
        rendition = Rendition(
            doc,
            self._signed.relative_uri(doc["id"], request.query(type_)),
            measured.codecs,
            measured.peak,
            measured.average,
            first.ts_offset,
        )
        if rendition.kind != "video" or type_ == "event":
            # An event playlist has all segments, which may become more than are read for one playlist.
            return rendition
        segments = sample.segments[:_SAMPLED_PICTURES]
        found = self._readings.key_frames.find(segments, sample.instances, deadline, what)
        if any(each.object_id not in found for each in segments):
            return rendition
        sizes = [(each, found[each.object_id][1] - found[each.object_id][0]) for each in segments]
        peak = peak_rate(sizes, ceil(segment_seconds(doc)))
        uri = self._signed.relative_uri(doc["id"], request.query(type_, "key"))
        return replace(rendition, key_frames=KeyFrameRendition(uri, peak))

    def _type_of(self, flow: FlowRow, request: PlaylistRequest) -> PlaylistType:
        return request.type_of(complete=is_complete(flow, request.timerange, self._env.clock()))

    def _write_media(
        self, caller: Caller, flow_id: str, request: PlaylistRequest, filters: GetUrlFilter, base_url: str
    ) -> PlaylistText:
        with self._env.engine.read() as tx:
            flow = flow_rows.get(tx, caller, flow_id, FLOW_COLUMNS)
            check_suitable(flow["doc"], HLS)
            now = self._env.clock()
            complete = is_complete(flow, request.timerange, now)
            recent = changed_recently(flow, now)
            type_, media = _read(tx, flow, request, complete=complete, recent=recent)
            parts = read_part_sample(tx, self._env, flow, media.parts, filters)
            used = [*media.segments, *(each.segment for each in parts.parts)]
            urls = read_urls(tx, self._env, used, filters, base_url) if request.frames == "all" else {}
        if request.frames == "all":
            found = self._readings.parts.find(parts, Deadline())
            # Nothing may be inserted into a playlist that players reload (RFC 8216, section 6.2.1).
            may_change = not complete or recent
            media = media.with_parts([each for each in found if may_change or not each.is_gap])
        _check_not_empty(flow_id, media, complete=complete)
        playlist = MediaPlaylist(
            kind=_kind_of(request, type_, complete=complete, recent=recent),
            complete=complete,
            target_s=max(1, ceil(segment_seconds(flow["doc"]))),
            start=request.timerange.start if type_ != "live" else None,
            left_out=media.left_out,
            before=media.before,
        )
        if type_ == "live":
            playlist = self._with_numbers(playlist, flow, request, media)
        if request.frames == "key":
            text = self._write_key_frames(flow, media, playlist, filters, base_url)
        else:
            text = write_media_playlist(media.segments, urls, playlist)
        return playlist_text(text, is_settled=complete and not recent)

    def _with_numbers(
        self, playlist: MediaPlaylist, flow: FlowRow, request: PlaylistRequest, media: Media
    ) -> MediaPlaylist:
        if not media.segments:
            sequence, discontinuity, target_s = next_numbers(self._env.engine, flow["id"])
            target_s = max(target_s, playlist.target_s)
            return replace(playlist, sequence=sequence, discontinuity_sequence=discontinuity, target_s=target_s)
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

    def _write_key_frames(
        self, flow: FlowRow, media: Media, playlist: MediaPlaylist, filters: GetUrlFilter, base_url: str
    ) -> str:
        """The playlist of the pictures with which the segments begin. Those that are no key frames are gaps."""
        what = f"flow {flow['id']}"
        segments = thinned(media.segments, MOST_PICTURES) if playlist.complete else media.segments
        if len(segments) > MOST_PICTURES:
            raise Invalid(
                f"a playlist has at most {MOST_PICTURES} key frames of what is not complete, or breaks so often, and"
                " there are more; give a shorter timerange",
                code=error_codes.TOO_MANY_SEGMENTS,
                field="timerange",
            )
        with self._env.engine.read() as tx:
            ids = [id_ for each in segments for id_ in (each.object_id, each.init_object_id) if id_]
            instances = read_stored_instances(tx, self._env, ids, filters)
            urls = read_urls(tx, self._env, segments, filters, base_url)
        found = self._readings.key_frames.find(
            [each for each in segments if not each.is_gap], instances, Deadline(), what
        )
        if segments and not found:
            raise Unsuitable(
                f"no segment of {what} in the timerange is known to begin with a key frame", field="frames"
            )
        urls |= {each.object_id: None for each in segments if each.object_id not in found}
        pictures = [each._replace(byte_range=found.get(each.object_id)) for each in segments]
        return write_media_playlist(pictures, urls, replace(playlist, key_frames_only=True))


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
    type_ = request.type_of(complete=complete)
    was_live = complete and recent and request.type is None and request.timerange == ETERNITY
    stored = read_stored_anchor(tx, flow["id"]) if was_live else None
    if type_ == "live" or stored is not None:
        media = read_window(tx, flow, request.timerange, slack, request.window_s * NS)
        if stored is None or (media.segments and stored.anchor.segment.start >= media.segments[0].start):
            return "live", replace(media, segments=list(with_gaps(media.segments)))
    return type_, read_timerange(tx, flow, request.timerange, slack)


def _check_not_empty(flow_id: str, media: Media, *, complete: bool) -> None:
    gaps = sum(each.is_gap for each in media.segments)
    if gaps < len(media.segments):
        return
    if gaps or media.left_out:
        raise Unsuitable(f"all {gaps + media.left_out} segments of flow {flow_id} in the timerange use {UNKNOWN_PART}")
    if complete:
        raise NotFound(
            f"flow {flow_id} has no segments in the timerange", code=error_codes.NOTHING_TO_PLAY, field="timerange"
        )
