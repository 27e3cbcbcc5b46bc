"""The longest text and the largest document of every column, in bytes of UTF-8: one table for all engines.

The limits leave room for what the values become part of. A row of a B-tree index of PostgreSQL holds 2,704 bytes, so
that the columns of an index have at most that together; the values of tags may be longer and are indexed by a hash
(storage.tables.declaration.Table.hashed). An object id is a part of URLs in which each of its bytes may need three
characters, and URLs of more than 2,048 characters are rejected by some clients. A cell of VAST Database holds 128 KiB.
docs/limits.md lists the limits for users.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

import orjson

from storage import error_codes
from storage.errors import Invalid
from storage.tables.schema import TABLES

ID = 64
"""A UUID, or another id that this server makes."""
OBJECT_ID = 400
STORED_OBJECT_ID = 2_500
"""In work that concerns objects of earlier releases, whose ids may be longer."""
LABEL = 2_048
"""What listings sort by. The label of a flow, source or profile may be longer: see `label_key`."""
TAG_NAME = 512
TAG_VALUE = 4_096
SEGMENT_TAGS = 16_384
"""The tags of one segment as JSON: one request may register thousands of segments."""
SEGMENT_TAG_VALUES = 64
"""Of all tags of one segment."""
NAME = 256
"""The name of a credential, a header, a codec, a media type."""
ROLE = 1_024
SECRET = 4_096
WEBHOOK_URL = 2_048
MEDIA_URL = 8_192
"""An uncontrolled URL, which is in no index."""
MEDIA_URLS = 65_536
"""All uncontrolled URLs and labels of one object."""
TIMERANGE = 128
MESSAGE = 2_048
"""An error message that is stored."""
DOCUMENT = 60_000
"""A document of a client as JSON: a flow, a source, a profile, a webhook, the description of the service."""
STORED_DOCUMENT = 64_000
"""The same document with the members that the server adds."""
EVENT = 128_000
"""An event, which contains a document or segments, and the collections that webhooks filter by."""

_WORD = 64
_RESOURCE = {"id": ID, "format": NAME, "label": LABEL, "doc": STORED_DOCUMENT}
_COLLECTION = {"collector_id": ID, "member_id": ID, "role": ROLE}
_FLOW = {**_RESOURCE, "source_id": ID, "profile_id": ID, "codec": NAME, "container": NAME, "status": _WORD}

LIMITS: Mapping[str, Mapping[str, int]] = {
    "service": {"key": _WORD, "value": STORED_DOCUMENT},
    "credentials": {
        "id": 2 * NAME,
        "kind": _WORD,
        "name": NAME,
        "secret": 2 * NAME,
        "scopes": NAME,
        "groups": STORED_DOCUMENT,
        "previous": 2 * NAME,
    },
    "profiles": {**_RESOURCE, "codec": NAME},
    "sources": _RESOURCE,
    "source_collections": _COLLECTION,
    "flows": _FLOW,
    "collections": _COLLECTION,
    "deleted_flows": {**_FLOW, "deleted_by": NAME, "subject": EVENT},
    "deleted_sources": {**_RESOURCE, "deleted_by": NAME},
    "deleted_collections": _COLLECTION,
    "tags": {"kind": _WORD, "owner_id": ID, "name": TAG_NAME, "value": TAG_VALUE},
    "classes": {"kind": _WORD, "owner_id": ID, "name": NAME},
    "segments": {
        "flow_id": ID,
        "object_id": OBJECT_ID,
        "init_object_id": OBJECT_ID,
        "timerange": TIMERANGE,
        "doc": STORED_DOCUMENT,
    },
    "segment_tags": {"flow_id": ID, "name": TAG_NAME, "value": TAG_VALUE},
    "objects": {
        "id": OBJECT_ID,
        "state": _WORD,
        "flow_id": ID,
        "content_type": NAME,
        "timerange": TIMERANGE,
        "init_object_id": OBJECT_ID,
        "owner": NAME,
    },
    # "label:" precedes the label of an uncontrolled URL.
    "instances": {
        "object_id": OBJECT_ID,
        "instance": LABEL + len("label:"),
        "storage_id": ID,
        "label": LABEL,
        "url": MEDIA_URL,
        "etag": NAME,
        "checksum": NAME,
        "extension": _WORD,
        "charged_to": NAME,
    },
    "object_refs": {"object_id": OBJECT_ID, "flow_id": ID},
    "flows_to_delete": {"request_id": ID, "flow_id": ID},
    "deletion_requests": {"id": ID, "flow_id": ID, "status": _WORD, "doc": STORED_DOCUMENT},
    "webhooks": {
        "id": ID,
        "url": WEBHOOK_URL,
        "status": _WORD,
        "owner": NAME,
        "secret": SECRET,
        "base_url": WEBHOOK_URL,
        "doc": STORED_DOCUMENT,
    },
    "events": {"id": ID, "doc": EVENT},
    "deliveries": {"webhook_id": ID, "event_id": ID},
    # The key of a copy is a storage backend id, a space and an object id.
    "jobs": {
        "kind": _WORD,
        "key": ID + 1 + STORED_OBJECT_ID,
        "token": _WORD,
        "worker": 2 * NAME,
        "error": MESSAGE,
        "doc": STORED_DOCUMENT,
    },
    "garbage": {"storage_id": ID, "object_id": STORED_OBJECT_ID, "extension": _WORD},
    "usage": {"principal": NAME},
    "principals": {"name": NAME, "groups": STORED_DOCUMENT, "scopes": NAME},
    "violations": {"id": ID, "outcome": _WORD, "operation": NAME, "schema_path": ROLE, "principal": NAME},
}
"""By table and column. The columns that are missing hold numbers and booleans."""


LONG_COLUMNS: Mapping[str, frozenset[str]] = {
    table: frozenset(name for name, most in limits.items() if most >= MEDIA_URL) for table, limits in LIMITS.items()
}
"""By table: the columns that decide how many bytes a row has."""

_JSON = {name: frozenset(c.name for c in table.columns if c.type == "json") for name, table in TABLES.items()}


def label_key(label: str) -> str:
    """The text by which a label is sorted and found: the label, or its beginning and its hash if it is long.

    Labels with the same first bytes are then in no particular order among each other.
    """
    encoded = label.encode("utf-8", "surrogatepass")
    if len(encoded) <= LABEL:
        return label
    digest = hashlib.sha256(encoded).hexdigest()
    return encoded[: LABEL - len(digest)].decode("utf-8", "ignore") + digest


class LabelColumns(TypedDict):
    label: str
    unlabelled: bool


def label_columns(label: str | None) -> LabelColumns:
    """The columns of a row with this label, if any; a filter by a label compares the same columns."""
    return {"label": label_key(label or ""), "unlabelled": label is None}


def check_text(text: str, most: int, field: str, what: str = "") -> None:
    """Reject a text of more than `most` bytes of UTF-8. Raises: Invalid.

    field: dotted name of the member. what: a better name for the message.
    """
    size = _text_size(text, most)
    if size > most:
        name = clip(field, 200)
        raise Invalid(
            f"{what or name} must have at most {most} bytes of UTF-8, not {size}",
            code=error_codes.TEXT_TOO_LONG,
            field=name,
        )


def check_list(items: Sequence[Any], most: int, field: str) -> None:
    """Reject a list of more than `most` items. Raises: Invalid."""
    if len(items) > most:
        raise Invalid(
            f"{field} must have at most {most} items, not {len(items)}", code=error_codes.TOO_MANY_ITEMS, field=field
        )


def check_document(document: Any, what: str, most: int = DOCUMENT) -> None:
    """Reject a document of more than `most` bytes as JSON. what: its kind, such as "flow".

    Raises: Invalid, naming the largest member.
    """
    size = _document_size(document)
    if size > most:
        members = document if isinstance(document, dict) else {}
        largest = max(members, key=lambda name: _document_size(members[name]), default=None)
        field = None if largest is None else clip(largest, 200)
        named = "" if field is None else f"; its largest member is {field}"
        raise Invalid(
            f"the {what} must have at most {most} bytes as JSON, not {size}{named}",
            code=error_codes.DOCUMENT_TOO_LARGE,
            field=field,
        )


_TEXTS = {
    table: tuple((name, most) for name, most in limits.items() if name not in _JSON[table])
    for table, limits in LIMITS.items()
}
_DOCUMENTS = {
    table: tuple((name, most) for name, most in limits.items() if name in _JSON[table])
    for table, limits in LIMITS.items()
}


def check_row(table: str, row: Mapping[str, Any]) -> None:
    """Reject a row, or new values of some of its columns, that exceed a limit: the last check before a write.

    Raises: Invalid, naming the column.
    """
    if _is_small(table, row):
        return
    for name, _, most in oversized(table, row):
        if name in _JSON[table]:
            check_document(row[name], table.removesuffix("s").replace("_", " "), most)
        else:
            check_text(row[name], most, name)


def _is_small(table: str, row: Mapping[str, Any]) -> bool:
    """Whether a row is within its limits and its texts are ASCII, as nearly all are. That takes little time to see."""
    for name, most in _TEXTS[table]:
        value = row.get(name)
        if value is not None and (len(value) > most or not value.isascii()):
            return False
    for name, most in _DOCUMENTS[table]:
        value = row.get(name)
        if value is not None and len(orjson.dumps(value)) > most:
            return False
    return True


def oversized(table: str, row: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Yield (column, size, limit) of every value that exceeds its limit, in bytes. row: columns may be missing."""
    for name, most in LIMITS[table].items():
        value = row.get(name)
        if value is not None:
            size = _document_size(value) if name in _JSON[table] else _text_size(value, most)
            if size > most:
                yield name, size, most


def clip(text: str, most: int) -> str:
    """The text, cut to `most` bytes of UTF-8 and ending in "..." if it is longer."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= most else encoded[: most - 3].decode("utf-8", "ignore") + "..."


def _text_size(text: str, most: int) -> int:
    # A character has at most four bytes, so that a short text need not be encoded.
    return len(text) if len(text) * 4 <= most else len(text.encode("utf-8", "surrogatepass"))


def _document_size(document: Any) -> int:
    return len(orjson.dumps(document))
