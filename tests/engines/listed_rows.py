"""A catalogue of any size, filled by a few statements, in which every filter has rare, common and absent values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from storage.catalog.access_rules import AccessRules
from storage.catalog.caller import Caller
from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.sources import SourceFilter
from storage.catalog.tags import TagFilter
from storage.tables.outline import outline_columns
from storage.timerange import EMPTY, parse_timerange

SECOND = 10**9
COMMON_START, RARE_START = 0, 10**6 * SECOND
_LENGTH = 10 * SECOND
RARE = 3
"""How many rows have the rare value of a filter."""

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
# Ids are in another order than the rows.
_ID = "'00000000-0000-4000-8000-' || (100000000000 + (i * 2654435761) % 100000000000)"
_IS_RARE = "i % ({rows} / {rare}) = 7"
_COMMON_NODE, _COMMON_END = (outline_columns(0, _LENGTH)[name] for name in ("outline_node", "outline_end"))
_RARE_NODE, _RARE_FIRST, _RARE_LAST = outline_columns(RARE_START, RARE_START + _LENGTH).values()
_EMPTY_NODE = outline_columns(0, 0)["outline_node"]

_FLOWS = (
    "INSERT INTO flows (id, source_id, profile_id, format, codec, status, frame_width, frame_height, label, unlabelled,"
    " init_segments, read_only, created, metadata_updated, content_start, content_end, outline_node, outline_start,"
    " outline_end, doc) {numbers} SELECT {id},"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 2 = 0 THEN 'common' ELSE 's' || i % 1000 END,"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 3 < 2 THEN 'common' ELSE 'p' || i % 1000 END,"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 2 = 0 THEN 'common' ELSE 'other' END,"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 3 < 2 THEN 'common' ELSE 'other' END,"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 2 = 0 THEN 'common' END,"
    " CASE WHEN {is_rare} THEN 7 WHEN i % 5 < 3 THEN 1920 END, CASE WHEN {is_rare} THEN 7 WHEN i % 5 < 4 THEN 1080 END,"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 7 < 4 THEN 'common' ELSE '' END, i % 7 >= 4 AND NOT {is_rare},"
    " {is_rare}, false, i * 1000, i * 1000,"
    " CASE WHEN {is_rare} THEN {rare_start} ELSE 0 END,"
    " CASE WHEN {is_rare} THEN {rare_start} + {length} WHEN i % ({rows} / {rare}) = 8 THEN 0 ELSE {length} END,"
    " CASE WHEN {is_rare} THEN {rare_node} WHEN i % ({rows} / {rare}) = 8 THEN {empty_node} ELSE {common_node} END,"
    " CASE WHEN {is_rare} THEN {rare_first} ELSE 0 END,"
    " CASE WHEN {is_rare} THEN {rare_last} WHEN i % ({rows} / {rare}) = 8 THEN 0 ELSE {common_end} END,"
    " '{document}' FROM n"
)
_SEGMENTS = (
    "INSERT INTO segments (flow_id, start_ns, end_ns, object_id, timerange, created, doc) {numbers} SELECT {id},"
    " CASE WHEN {is_rare} THEN {rare_start} ELSE 0 END, CASE WHEN {is_rare} THEN {rare_start} ELSE 0 END + {length},"
    " 'object-' || i, '', i, '{{}}' FROM n WHERE i % ({rows} / {rare}) <> 8"
)
_SEGMENTS_OF_ONE = (
    "INSERT INTO segments (flow_id, start_ns, end_ns, object_id, timerange, created, doc) {numbers} SELECT 'long',"
    " i * 1000000000, (i + 1) * 1000000000, 'object-' || i, '', i, '{{}}' FROM n"
)
_SOURCES = (
    "INSERT INTO sources (id, format, label, unlabelled, created, updated, doc) {numbers} SELECT {id},"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 2 = 0 THEN 'common' ELSE 'other' END,"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 7 < 4 THEN 'common' ELSE '' END, i % 7 >= 4 AND NOT {is_rare},"
    " i * 1000, i * 1000, '{{}}' FROM n"
)
_PROFILES = (
    "INSERT INTO profiles (id, format, codec, label, unlabelled, created, doc) {numbers} SELECT {id},"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 2 = 0 THEN 'common' ELSE 'other' END,"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 3 < 2 THEN 'common' ELSE 'other' END,"
    " CASE WHEN {is_rare} THEN 'rare' WHEN i % 7 < 4 THEN 'common' ELSE '' END, i % 7 >= 4 AND NOT {is_rare},"
    " i * 1000, '{{}}' FROM n"
)
_WEBHOOKS = (
    "INSERT INTO webhooks (id, url, enabled, status, owner, base_url, created, since, doc) {numbers} SELECT {id},"
    " 'https://receiver-' || i % 1000, i % 100 = 0, 'created', 'owner-' || i % 1000, '', i * 1000, i, '{{}}' FROM n"
)
_TAG = "INSERT INTO tags (kind, owner_id, name, value, empty, created) {numbers} SELECT '{kind}', {id}, {what}"
_TAGS = (
    # name, value, empty, created, and which rows have it
    "'level', CASE WHEN {is_rare} THEN 'rare' WHEN i % 2 = 0 THEN 'common' ELSE 'other' END, false, i * 1000 FROM n"
    " WHERE i % ({rows} / {rare}) <> 9",
    "'list', 'one', false, i * 1000 FROM n WHERE i % 4 < 2",
    "'list', 'two', false, i * 1000 FROM n WHERE i % 4 IN (1, 3)",
    "'seldom', 'x', false, i * 1000 FROM n WHERE {is_rare}",
)
_SEGMENT_TAGS = [
    "INSERT INTO segment_tags (flow_id, start_ns, name, value, empty) {numbers} SELECT 'long', i * 1000000000, "
    + what.replace(", i * 1000 FROM", " FROM")
    for what in _TAGS
]
_CLASS = "INSERT INTO classes (kind, owner_id, name, created) {numbers} SELECT '{kind}', {id}, {what}"
_CLASSES = (
    # name, created, and which rows have it
    "'common-' || (i % 100) || '_read', i * 1000 FROM n",
    "'seldom-' || (i % ({rows} / 10)) || '_read', i * 1000 FROM n",
    "'rare_read', i * 1000 FROM n WHERE {is_rare}",
    "'denied', i * 1000 FROM n WHERE {is_rare}",
)
_COLLECTIONS = (
    "INSERT INTO {table} (collector_id, position, member_id) {numbers}"
    " SELECT CASE WHEN {is_rare} THEN 'rare' ELSE 'common' END, i, {id} FROM n WHERE i % 3 = 0 OR {is_rare}"
)
_DELETION_REQUESTS = (
    "INSERT INTO deletion_requests (id, flow_id, status, created, expiry, doc) {numbers} SELECT {id}, 'f' || i,"
    " CASE WHEN i % 100 = 0 THEN 'started' ELSE 'done' END, i * 1000, i * 1000, '{{}}' FROM n"
)
_OBJECTS = (
    "INSERT INTO objects (id, state, flow_id, created, expires) {numbers} SELECT 'object-' || i, 'media', {id}, i,"
    " CASE WHEN i % 1000 = 0 THEN i END FROM n"
)
_REFERENCES = (
    "INSERT INTO object_refs (object_id, flow_id, segments) {numbers} SELECT 'object-' || (i % 100 + 1), {id}, 1 FROM n"
)
_INSTANCES = (
    "INSERT INTO instances (object_id, instance, storage_id, created) {numbers}"
    " SELECT 'object-' || i, 's', 's', i FROM n"
)
_EVENTS = "INSERT INTO events (id, position, pending, doc) {numbers} SELECT {id}, i, i % 100 = 0, '{{}}' FROM n"
_DELIVERIES = "INSERT INTO deliveries (webhook_id, position, event_id) {numbers} SELECT 'w' || i % 100, i, {id} FROM n"
_JOBS = (
    "INSERT INTO jobs (kind, key, due, attempts, created, doc) {numbers}"
    " SELECT CASE i % 4 WHEN 0 THEN 'delivery' WHEN 1 THEN 'copy' WHEN 2 THEN 'removal' ELSE 'flow-deletion' END, {id},"
    " i, 0, i, '{{}}' FROM n"
)
_GARBAGE = "INSERT INTO garbage (storage_id, object_id, due) {numbers} SELECT 's' || i % 3, {id}, i FROM n"
_CREDENTIALS = (
    "INSERT INTO credentials (id, kind, name, secret, scopes, created) {numbers}"
    " SELECT {id}, 'bearer', 'n' || i, '', 'read', i FROM n"
)


def statements(rows: int, *, listed_only: bool = False, document: str = "{}") -> Iterator[str]:
    """The statements that put this many rows into every table.

    listed_only: only what listings with filters read. document: of each flow.
    """
    texts = [_FLOWS, _SEGMENTS, _SOURCES, _PROFILES, _WEBHOOKS]
    for kind in ("flow", "source", "webhook"):
        texts += [_TAG.replace("{kind}", kind).replace("{what}", what) for what in _TAGS]
        texts += [_CLASS.replace("{kind}", kind).replace("{what}", what) for what in _CLASSES]
    texts += [_COLLECTIONS.replace("{table}", table) for table in ("collections", "source_collections")]
    if not listed_only:
        texts += [
            _SEGMENTS_OF_ONE,
            *_SEGMENT_TAGS,
            _DELETION_REQUESTS,
            _OBJECTS,
            _REFERENCES,
            _INSTANCES,
            _EVENTS,
            _DELIVERIES,
            _JOBS,
            _GARBAGE,
        ]
        texts += [_CREDENTIALS]
    numbers = {"rows": rows, "rare": RARE}
    for text in texts:
        yield text.format(
            numbers=_NUMBERS.format(**numbers),
            id=_ID,
            is_rare=_IS_RARE.format(**numbers),
            rare_start=RARE_START,
            length=_LENGTH,
            common_node=_COMMON_NODE,
            common_end=_COMMON_END,
            rare_node=_RARE_NODE,
            rare_first=_RARE_FIRST,
            rare_last=_RARE_LAST,
            empty_node=_EMPTY_NODE,
            document=document,
            **numbers,
        )


def _tag(name: str, *values: str) -> dict[str, Any]:
    return {"tags": TagFilter({name: values})}


def _tag_exists(name: str, present: bool) -> dict[str, Any]:
    return {"tags": TagFilter({}, {name: present})}


def _columns(**columns: Any) -> dict[str, Any]:
    return {"columns": columns}


_TAG_FILTERS: dict[str, dict[str, Any]] = {
    "tag rare": _tag("level", "rare"),
    "tag common": _tag("level", "common"),
    "tag absent": _tag("level", "absent"),
    "tag one of rare": _tag("level", "rare", "absent"),
    "tag one of common": _tag("list", "one", "two"),
    "tag one of absent": _tag("list", "absent", "missing"),
    "tag exists rare": _tag_exists("seldom", True),
    "tag exists common": _tag_exists("list", True),
    "tag exists absent": _tag_exists("absent", True),
    "tag missing rare": _tag_exists("level", False),
    "tag missing common": _tag_exists("list", False),
    "tag missing everywhere": _tag_exists("absent", False),
    "collected rare": {"collected_by_ids": ["rare"]},
    "collected common": {"collected_by_ids": ["common"]},
    "collected absent": {"collected_by_ids": ["absent", "missing"]},
    "not collected": {"collected_by_ids": []},
}
_VALUES = {"rare": "rare", "common": "common", "absent": "absent"}
_COLUMN_VALUES: Mapping[str, Mapping[str, Any]] = {
    "format": _VALUES,
    "codec": _VALUES,
    "label": _VALUES,
    "source_id": _VALUES,
    "profile_id": _VALUES,
    "status": _VALUES,
    "init_segments": {"rare": True, "common": False},
    "frame_width": {"rare": 7, "common": 1920, "absent": 8},
    "frame_height": {"rare": 7, "common": 1080, "absent": 8},
}
FLOW_FILTERS: dict[str, dict[str, Any]] = {
    **{
        f"{column} {kind}": _columns(**{column: value})
        for column, values in _COLUMN_VALUES.items()
        for kind, value in values.items()
    },
    **_TAG_FILTERS,
    "timerange rare": {"timerange": parse_timerange("[1000000:0_1000001:0)")},
    "timerange common": {"timerange": parse_timerange("[0:0_1:0)")},
    "timerange absent": {"timerange": parse_timerange("[20:0_30:0)")},
    "no content": {"timerange": EMPTY},
}
"""Arguments of FlowFilter, by a name that begins with the filter and ends with how many flows pass it."""
SOURCE_FILTERS: dict[str, dict[str, Any]] = {
    **{f"{column} {kind}": {column: kind} for column in ("format", "label") for kind in _VALUES},
    **_TAG_FILTERS,
}
"""Arguments of SourceFilter."""


_GROUPS = {
    "many common": [f"common-{number}_read" for number in range(50)],
    "few common": ["common-1_read", "common-2_read"],
    "many seldom": [f"seldom-{number}_read" for number in range(50)],
    "rare": ["rare_read"],
    "none": [f"absent-{number}_read" for number in range(50)],
}
READERS: dict[str, Caller] = {
    name: Caller("reader", frozenset({"read"}), frozenset(groups), AccessRules()) for name, groups in _GROUPS.items()
}
"""Callers that may read many flows, few or none, by the classes of these."""


def flow_filter(*names: str) -> FlowFilter:
    """The filter that has all of FLOW_FILTERS with these names."""
    return FlowFilter(**_merged([FLOW_FILTERS[name] for name in names]))


def source_filter(*names: str) -> SourceFilter:
    return SourceFilter(**_merged([SOURCE_FILTERS[name] for name in names]))


def _merged(filters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for each in filters:
        for name, value in each.items():
            if name == "columns":
                value = {**merged.get(name, {}), **value}
            elif name == "tags" and name in merged:
                value = TagFilter({**merged[name].values, **value.values}, {**merged[name].exists, **value.exists})
            merged[name] = value
    return merged


def pairs(filters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """All pairs of filters that are not about the same thing."""
    names = list(filters)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            if one.split()[0] != other.split()[0]:
                yield one, other


def fill(execute: Callable[[str], Any], rows: int, **options: Any) -> None:
    for statement in statements(rows, **options):
        execute(statement)
