"""What an ingest creates: flows with their sources, a multi flow that collects them, and how each is cut and muxed.

Ids follow from the content of a file and from the options, so that the same command, run again after it was killed,
finds its flows in the store and continues.
"""

import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from tams_server.client.documents import Json
from tams_server.client.errors import shown_url
from tams_server.client_media.containers import MP4, TS, Container, Muxer, choose
from tams_server.client_media.flow_description import codec_of, essence_parameters
from tams_server.client_media.ingest_key import ingest_key
from tams_server.client_media.ingest_options import IngestOptions
from tams_server.client_media.media_input import Input
from tams_server.client_media.segmenter import Segmenter

_SPACE: Final = uuid.UUID("3a1f6f0e-58d5-5d0a-9c62-6b8f2c0e7a41")
"""Names of ingests are made unique by it (RFC 9562, version 5)."""
START_TAG: Final = "tams_ingest_start"
"""Tag of a flow: where its timeline begins, so that a resumed ingest of `--start now` begins there too."""
DAMAGE_TAG: Final = "tams_ingest_damage"
"""Tag of a flow: what ended its ingest before the end of the input."""
_FORMATS: Final = {"video": "urn:x-nmos:format:video", "audio": "urn:x-nmos:format:audio"}
_FIRST_PID: Final = 0x100
"""Of FFmpeg's muxer of MPEG-TS, which numbers tracks from there; that of MP4 numbers from 1."""
MULTI: Final = "urn:x-nmos:format:multi"


@dataclass(slots=True)
class PlannedFlow:
    """A flow with media of its own. streams: those of the input in it. kind: "video", "audio" or "multi"."""

    id: str
    source_id: str
    kind: str
    streams: list[Any]
    container: Container
    segmenter: Segmenter
    muxer: Muxer

    @property
    def primary(self) -> Any:
        """The stream that says where to cut."""
        return self.streams[0]

    @property
    def media_type(self) -> str:
        """The `container` of the flow."""
        return self.container.media_type(self.kind)


@dataclass(slots=True)
class Plan:
    """All that an ingest creates. flows: those with media. multi_id: of the flow that collects, in `flows` if muxed."""

    key: str
    flows: list[PlannedFlow]
    multi_id: str
    multi_source_id: str
    muxed: bool
    members: list[tuple[str, str, Any]]
    """Flow id, source id and stream of each essence."""


def make_plan(source: Input, options: IngestOptions, read: Callable[[int], None] = lambda size: None) -> Plan:
    """Plan an ingest. read: called with bytes of the file as its digest is made.

    Raises MediaError if no container can hold the streams, and OSError.
    """
    key = ingest_key(options, read)
    streams = sorted(source.streams, key=lambda each: each.type != "video")
    codecs = [each.codec_context.codec.canonical_name for each in streams]
    members = [(_id(key, f"flow {each.index}"), _id(key, f"source {each.index}"), each) for each in streams]
    multi_id, multi_source = _id(key, "flow multi"), _id(key, "source multi")
    if options.muxed and len(streams) > 1:
        container = choose(codecs, options.container)
        flows = [_planned(multi_id, multi_source, "multi", streams, container, options.target)]
    else:
        flows = [
            _planned(flow_id, source_id, stream.type, [stream], choose([codec], options.container), options.target)
            for (flow_id, source_id, stream), codec in zip(members, codecs, strict=True)
        ]
    return Plan(key, flows, multi_id, multi_source, options.muxed and len(streams) > 1, members)


def _planned(
    flow_id: str, source_id: str, kind: str, streams: Sequence[Any], container: Container, target: Fraction
) -> PlannedFlow:
    primary, *others = streams
    segmenter = Segmenter(primary.index, {each.index for each in others}, target, at_key=primary.type == "video")
    return PlannedFlow(flow_id, source_id, kind, list(streams), container, segmenter, Muxer(container, streams))


def flow_document(flow: PlannedFlow, starts: Sequence[Fraction], options: IngestOptions, start: str) -> Json:
    """The document of a flow with media. starts: times of its first frames. start: of its timeline, as text."""
    document = _common(flow.id, flow.source_id, flow.kind, options, start)
    document["container"] = flow.media_type
    document["segment_duration"] = {"numerator": options.target.numerator, "denominator": options.target.denominator}
    if flow.kind == "multi":
        document["format"] = MULTI
        if flow.container.has_init:
            document["essence_parameters"] = {"init_segments": True}
        return document
    stream = flow.primary
    document |= {"format": _FORMATS[stream.type], "codec": codec_of(stream)}
    document["essence_parameters"] = essence_parameters(stream, starts, init_segments=flow.container.has_init)
    return document


def member_document(
    member: tuple[str, str, Any], starts: Sequence[Fraction], options: IngestOptions, start: str
) -> Json:
    """The document of an essence in a muxed flow, which has no files of its own."""
    flow_id, source_id, stream = member
    document = _common(flow_id, source_id, stream.type, options, start)
    document |= {"format": _FORMATS[stream.type], "codec": codec_of(stream)}
    return {**document, "essence_parameters": essence_parameters(stream, starts, init_segments=False)}


def multi_document(plan: Plan, options: IngestOptions, start: str) -> Json:
    """The document of the flow that collects the others."""
    document = _common(plan.multi_id, plan.multi_source_id, "", options, start)
    return {**document, "format": MULTI, "flow_collection": collection(plan)}


def collection(plan: Plan) -> list[Json]:
    """The flow_collection: each essence with its role, and where it lies in the files of a muxed flow."""
    found: list[Json] = []
    counts: dict[str, int] = {}
    for number, (flow_id, _, stream) in enumerate(plan.members):
        place = counts.get(stream.type, 0)
        counts[stream.type] = place + 1
        item: Json = {"id": flow_id, "role": stream.type if not place else f"{stream.type} {place + 1}"}
        if plan.muxed:
            mapping: Json = {"track_index": number, "format_track_index": place}
            container = plan.flows[0].container
            if container is TS:
                mapping["mp2ts_container"] = {"pid": _FIRST_PID + number}
            elif container is MP4:
                mapping["isobmff_container"] = {"track_id": number + 1}
            item["container_mapping"] = mapping
        found.append(item)
    return found


def _input_name(name: str) -> str:
    """The last part of a path, as Unicode. Of a URL its host: the rest may be secret, such as the key of a stream."""
    last = shown_url(name) if "://" in name else Path(name).name or name
    return os.fsencode(last).decode("utf-8", "replace")


def label_of(options: IngestOptions, kind: str) -> str:
    """The label of a flow or source: the user's, else the name of the file or host; with the kind of essence."""
    name = options.label or ("Standard input" if options.name == "-" else _input_name(options.name))
    return f"{name} ({kind})" if kind in _FORMATS else name


def _common(flow_id: str, source_id: str, kind: str, options: IngestOptions, start: str) -> Json:
    document: Json = {"id": flow_id, "source_id": source_id, "label": label_of(options, kind)}
    if options.description:
        document["description"] = options.description
    return {**document, "status": "ingesting", "tags": {**options.tags, START_TAG: start}}


def _id(key: str, name: str) -> str:
    return str(uuid.uuid5(_SPACE, f"{key} {name}"))
