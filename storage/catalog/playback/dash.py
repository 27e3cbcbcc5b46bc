"""Media presentation descriptions of DASH: of a flow, and of the flows of a programme."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final, Literal

from storage import error_codes
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.flows import flow_rows
from storage.catalog.live_anchors import PeriodStart, read_period_starts
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.playback.completeness import changed_recently, complete_for, is_complete, segment_seconds
from storage.catalog.playback.flow_media import FLOW_COLUMNS, Media, check_count, read_timerange, read_window
from storage.catalog.playback.measurements import Sample, read_sample
from storage.catalog.playback.media_urls import read_urls
from storage.catalog.playback.object_content import Deadline
from storage.catalog.playback.object_parts import UNKNOWN_PART, PartSample, read_part_sample
from storage.catalog.playback.period_starts import MOST_PERIODS, first_period_start, programme_name
from storage.catalog.playback.playlist_request import PlaylistRequest, PlaylistType
from storage.catalog.playback.playlist_text import PlaylistText, playlist_text
from storage.catalog.playback.programme import is_programme, playable, read_source_flows
from storage.catalog.playback.readings import Readings
from storage.catalog.playback.recent_texts import LIFETIME_S
from storage.catalog.playback.signed_playlists import SignedPlaylists
from storage.errors import Invalid, NotFound, Unsuitable
from storage.playback.essence import frame_rate, kind_of, parameter, whole_number
from storage.playback.manifest import Clock, Representation, write_manifest
from storage.playback.media_playlist import date_time
from storage.playback.media_segment import slack_of
from storage.playback.periods import Period, periods_of, runs_of
from storage.playback.suitability import DASH, check_suitable
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader
from storage.tai import unix_of_tai
from storage.timerange import NS

_KEPT_S: Final = LIFETIME_S + 1
"""For how long the server and then a client may keep a manifest that is reloaded, in seconds."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A flow of a programme, with what is listed of it. parts: segments that use a part of an object."""

    sample: Sample
    media: Media
    parts: PartSample

    @property
    def flow(self) -> FlowRow:
        return self.sample.flow


@dataclass(frozen=True, slots=True)
class _Programme:
    """Flows, the first of which leads. urls: where their objects are, by id. complete: nothing will be added.

    complete_us: for how long that has been so, in microseconds. period_starts: what is recorded of the flow that leads.
    """

    what: str
    flows: Sequence[_Part]
    urls: dict[str, str | None]
    type: PlaylistType
    complete: bool
    complete_us: float
    recent: bool
    period_starts: Sequence[PeriodStart]

    @property
    def has_clock(self) -> bool:
        """Whether players reload it, or may have to be told that it has ended."""
        return not self.complete or (self.recent and self.type != "vod")


class DashManifests:
    """Writes manifests. signed: makes the URLs from which players reload them."""

    def __init__(self, env: Environment, signed: SignedPlaylists, readings: Readings) -> None:
        self._env = env
        self._signed = signed
        self._readings = readings

    def write(
        self,
        caller: Caller,
        kind: Literal["flow", "source"],
        id_: str,
        request: PlaylistRequest,
        filters: GetUrlFilter,
        base_url: str,
    ) -> PlaylistText:
        """The manifest of a flow or source, as `Playback.manifest` describes it."""
        what = f"{kind} {id_}"
        with self._env.engine.read() as tx:
            if kind == "source":
                rows = read_source_flows(tx, caller, id_, DASH)
            else:
                rows = self._flows(tx, caller, flow_rows.get(tx, caller, id_, FLOW_COLUMNS))
            programme = self._read(tx, what, rows, request, filters, base_url)
        deadline = Deadline()
        periods, left_out = self._periods(programme, deadline, over_gaps=programme.has_clock)
        representations = [self._representation(what, each.sample, deadline) for each in programme.flows]
        # A recording that grows is reloaded as what it is, since all of it begins at zero when it is complete.
        type_ = "event" if programme.has_clock and programme.type == "vod" else programme.type
        query = replace(request, reload=True).query(type_)
        location = self._signed.absolute_url(base_url, f"/{kind}s/{id_}/output.mpd", query)
        clock = self._clock(programme, periods, request, location) if programme.has_clock else None
        if clock is not None and clock.has_ended and not request.reload:
            # Who opens it only now sees a recording, which begins at zero.
            clock, (periods, left_out) = None, self._periods(programme, deadline, over_gaps=False)
        text = write_manifest(
            representations, periods, programme.urls, clock, complete=programme.complete, left_out=left_out
        )
        return playlist_text(text, is_settled=programme.complete and not programme.recent)

    def _periods(self, programme: _Programme, deadline: Deadline, *, over_gaps: bool) -> tuple[list[Period], int]:
        """The periods of a programme, and how many segments are left out. over_gaps: as for `runs_of`.

        Raises: NotFound, Unsuitable if nothing is left; Invalid; Unavailable.
        """
        runs = []
        left_out = 0
        for each in programme.flows:
            found = self._readings.parts.find(each.parts, deadline)
            media = each.media.with_parts([segment for segment in found if not segment.is_gap])
            left_out += media.left_out
            runs.append(runs_of(media.segments, programme.urls, media.before, over_gaps=over_gaps))
        periods = periods_of(runs)
        if not periods and any(each.parts.parts for each in programme.flows):
            raise Unsuitable(f"all segments of {programme.what} in the timerange use {UNKNOWN_PART}")
        if not periods:
            raise _empty(programme.what)
        _check_periods(periods)
        return periods, left_out

    def _flows(self, tx: Reader, caller: Caller, flow: FlowRow) -> list[FlowRow]:
        if is_programme(flow):
            return playable(tx, caller, [flow], DASH)
        check_suitable(flow["doc"], DASH)
        return [flow]

    def _read(
        self,
        tx: Reader,
        what: str,
        rows: Sequence[FlowRow],
        request: PlaylistRequest,
        filters: GetUrlFilter,
        base_url: str,
    ) -> _Programme:
        now = self._env.clock()
        complete = all(is_complete(row, request.timerange, now) for row in rows)
        type_ = request.type_of(complete=complete)
        flows = []
        count = 0
        for row in _leader_first(rows):
            sample = read_sample(tx, self._env, row, request.timerange, filters)
            if sample is None:
                continue
            slack = slack_of(row["doc"])
            if type_ == "live":
                media = read_window(tx, row, request.timerange, slack, request.window_s * NS)
            else:
                media = read_timerange(tx, row, request.timerange, slack)
            count += len(media.segments)
            check_count(count)
            flows.append(_Part(sample, media, read_part_sample(tx, self._env, row, media.parts, filters)))
        segments = [segment for each in flows for segment in each.media.segments]
        segments += [part.segment for each in flows for part in each.parts.parts]
        if not segments:
            raise _empty(what)
        if kind_of(flows[0].flow["doc"]) == "text":
            raise Unsuitable(f"{what} is subtitles, which players show with pictures or sound only")
        urls = read_urls(tx, self._env, segments, filters, base_url)
        complete_us = min(complete_for(row, request.timerange, now) for row in rows)
        recent = any(changed_recently(row, now) for row in rows)
        starts = read_period_starts(tx, flows[0].flow["id"])
        return _Programme(what, flows, urls, type_, complete, complete_us, recent, starts)

    def _representation(self, what: str, sample: Sample, deadline: Deadline) -> Representation:
        deadline.check(what)
        measured = self._readings.measurements.measure(sample)
        doc = sample.flow["doc"]
        rate = frame_rate(doc)
        stated = whole_number(parameter(doc, "sample_rate")) or (rate.numerator if rate is not None else None)
        timescale = measured.timescale or stated or NS
        return Representation(doc, measured.codecs, measured.peak, min(timescale, NS))

    def _clock(
        self, programme: _Programme, periods: Sequence[Period], request: PlaylistRequest, location: str
    ) -> Clock:
        rows = [each.flow for each in programme.flows]
        start = periods[0].start
        if date_time(start) is not None:
            begin, origin = 0, start - unix_of_tai(start)
        elif start >= 0:
            # Such a timeline is no time of day: it is taken to begin when the flow was created.
            begin, origin = rows[0]["created"], 0
        else:
            raise Unsuitable(f"{programme.what} begins before time zero, which DASH cannot play live", field="type")
        longest = max(segment.duration for segment in periods[-1].runs[0].segments) if periods[-1].runs[0] else NS
        update_s = max(1, ceil(segment_seconds(rows[0]["doc"])), longest // NS)
        now = self._env.clock()
        changed = max(max(row["metadata_updated"], row["segments_updated"] or 0) for row in rows)
        ended_us = programme.complete_us - (update_s + longest / NS + _KEPT_S) * SECOND
        return Clock(
            begin=begin,
            origin=origin,
            first_start=self._first_start(programme, periods),
            published=max(changed, int(now - ended_us)) if ended_us >= 0 else changed,
            now=now,
            window_s=request.window_s if programme.type == "live" else None,
            update_s=update_s,
            location=location,
            has_ended=ended_us >= 0,
        )

    def _first_start(self, programme: _Programme, periods: Sequence[Period]) -> int | None:
        ids = [each.flow["id"] for each in programme.flows]
        return first_period_start(self._env.engine, ids[0], programme_name(ids), programme.period_starts, periods)


def _leader_first(rows: Sequence[FlowRow]) -> list[FlowRow]:
    """Pictures before sound before text, each in their order."""
    order = ("video", "audio", "text")
    return sorted(rows, key=lambda row: order.index(kind_of(row["doc"])))


def _check_periods(periods: Sequence[Period]) -> None:
    if len(periods) > MOST_PERIODS:
        raise Invalid(
            f"a manifest has at most {MOST_PERIODS} periods, and there are more, as media breaks often; give a"
            " shorter timerange",
            code=error_codes.TOO_MANY_SEGMENTS,
            field="timerange",
        )


def _empty(what: str) -> NotFound:
    return NotFound(f"{what} has nothing to play in the timerange", code=error_codes.NOTHING_TO_PLAY, field="timerange")
