"""What can be stored and served although it breaks the published schemas (F9): the one place that says so.

With TAMS_VALIDATION_LEVEL=relaxed a body that breaks its schema is accepted if it is valid here; documents that were
stored so are served at either level. These schemas ask for what the catalogue and the media need: ids, formats, what is
filtered and sorted by, what becomes a header, and the type of every member that is computed with. They leave open what
is only stored and returned: which parameters an essence has, the values that these may have, and the form of `codec`.

Documents of kinds that are missing here are needed as a whole: sources, segments, objects, webhooks, storage requests,
and single members.
"""

from typing import Final

from tams_server.specification.document import Json

_SCHEMAS: Final = "#/components/schemas/"
_SERVED_ESSENCE: Final[Json] = {
    "frame_width": {"type": "integer"},
    "frame_height": {"type": "integer"},
    "init_segments": {"type": "boolean"},
}
_INTEGER: Final[Json] = {"type": "integer"}
_ESSENCE: Final[Json] = {
    **_SERVED_ESSENCE,
    "frame_rate": {"$ref": f"{_SCHEMAS}flow-technical/properties/segment_duration"},
    "channels": _INTEGER,
    "avc_parameters": {
        "type": "object",
        "required": ["profile", "flags", "level"],
        "properties": {"profile": _INTEGER, "flags": _INTEGER, "level": _INTEGER},
    },
    "codec_parameters": {"type": "object", "properties": {"mp4_oti": _INTEGER}},
}
"""Of new documents, with what playlists are made from. Documents stored before these rules need only the others."""
_COMMON: Final = (
    *("id", "source_id", "label", "description", "created_by", "updated_by", "tags", "metadata_version", "generation"),
    *("created", "metadata_updated", "segments_updated", "status", "read_only", "max_bit_rate", "timerange"),
    *("flow_collection", "collected_by"),
)


def _technical(essence: Json) -> Json:
    return {
        "format": {"$ref": f"{_SCHEMAS}content-format"},
        "codec": {"type": "string"},
        "container": {"$ref": f"{_SCHEMAS}flow-technical/properties/container"},
        "avg_bit_rate": {"$ref": f"{_SCHEMAS}flow-technical/properties/avg_bit_rate"},
        "segment_duration": {"$ref": f"{_SCHEMAS}flow-technical/properties/segment_duration"},
        "container_mapping": {"type": "object"},
        "essence_parameters": {"type": "object", "properties": essence},
    }


def _flow(essence: Json) -> Json:
    """The schema of a flow. essence: of the members of essence_parameters."""
    return {
        "type": "object",
        "required": ["id", "source_id"],
        "anyOf": [{"required": ["format"]}, {"required": ["profile_id"]}],
        "properties": {
            **{name: {"$ref": f"{_SCHEMAS}flow-common/properties/{name}"} for name in _COMMON},
            "profile_id": {"type": "string"},
            **_technical(essence),
        },
    }


def _profile(essence: Json) -> Json:
    """The schema of a profile. essence: as for _flow."""
    return {
        "type": "object",
        "required": ["id", "flow_metadata"],
        "properties": {
            **{
                name: {"$ref": f"{_SCHEMAS}profile/properties/{name}"}
                for name in ("id", "label", "description", "created_by", "created", "tags")
            },
            "flow_metadata": {"type": "object", "required": ["format", "codec"], "properties": _technical(essence)},
        },
    }


_NEW_FLOW: Final[Json] = {**_flow(_ESSENCE), "required": ["source_id"]}
_FLOW: Final[Json] = _flow(_SERVED_ESSENCE)
_PROFILE: Final[Json] = _profile(_SERVED_ESSENCE)


def _list_of(schema: Json) -> Json:
    return {"type": "array", "items": schema}


BODIES: Final[dict[str, Json]] = {
    "PUT_flows-flowId": _flow(_ESSENCE),
    "POST_flows": {"anyOf": [_NEW_FLOW, _list_of(_NEW_FLOW)]},
    "POST_profiles-profileId": _profile(_ESSENCE),
}
"""By operationId."""
RESPONSES: Final[dict[str, Json]] = {
    "GET_flows": _list_of(_FLOW),
    "GET_flows-flowId": _FLOW,
    "PUT_flows-flowId": _FLOW,
    "POST_flows": {
        "anyOf": [
            _FLOW,
            _list_of(_FLOW),
            {
                "type": "object",
                "required": ["flows", "failed_flows"],
                "properties": {
                    "flows": _list_of(_FLOW),
                    "failed_flows": _list_of({"$ref": f"{_SCHEMAS}failed-item"}),
                },
            },
        ]
    },
    "GET_profiles": _list_of(_PROFILE),
    "GET_profiles-profileId": _PROFILE,
    "POST_profiles-profileId": _PROFILE,
}
"""By operationId."""
EVENTS: Final[dict[str, Json]] = {
    name: {
        "type": "object",
        "required": ["event_timestamp", "event_type", "event"],
        "properties": {
            "event_type": {"enum": [name]},
            "event": {"type": "object", "required": ["flow"], "properties": {"flow": _FLOW}},
        },
    }
    for name in ("flows/created", "flows/updated")
}
"""By event type."""
