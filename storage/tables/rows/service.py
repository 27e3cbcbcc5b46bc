"""This installation, who may use it, and what they have used and sent."""

from typing import Any, Literal, NotRequired, TypedDict

CredentialKind = Literal["bearer", "basic", "client"]

ViolationOutcome = Literal["rejected", "accepted"]
"""Whether a request that broke a schema was rejected, or carried out all the same (TAMS_VALIDATION_LEVEL=relaxed)."""


class ServiceRow(TypedDict):
    """A fact of this installation: its name, the id of its default storage backend, secrets."""

    key: str
    value: Any


class CredentialRow(TypedDict):
    """A bearer token, a user with a password or a client with a secret, of which `secret` is the hash; "" for tokens,
    whose hash is in `id`.

    scopes: separated by spaces. groups: separated by line breaks; null for none.
    revoked: when it was revoked; null unless it was. previous: an earlier hash that is accepted until `previous_until`.
    from_settings: whether a setting made it; null in rows from before there was the column.
    """

    id: str
    kind: CredentialKind
    name: str
    secret: str
    scopes: str
    created: int
    expires: NotRequired[int | None]
    groups: NotRequired[str | None]
    revoked: NotRequired[int | None]
    previous: NotRequired[str | None]
    previous_until: NotRequired[int | None]
    from_settings: NotRequired[bool | None]


class PrincipalRow(TypedDict):
    """What a principal that owns a webhook and has no credential in this catalogue was last seen to have.

    groups: a list of texts. scopes: separated by spaces. seen: when they last changed.
    """

    name: str
    groups: Any
    scopes: str
    seen: int


class UsageRow(TypedDict):
    """The bytes that a principal has stored: the sum of `charged_bytes` of the instances that are charged to it.

    recounted: when that was last counted from the instances; 0 for never.
    """

    principal: str
    bytes: int
    recounted: int


class ViolationRow(TypedDict):
    """How many requests of one day broke the published schemas in one way (F23).

    id: a digest of the day and of the columns that tell what is counted. day: days since 1970, in UTC.
    outcome: what became of the requests. operation, schema_path, principal: "" in the row that counts what had no room
    in rows of its own. first_seen, last_seen: the earliest and the latest of these requests.
    """

    id: str
    day: int
    outcome: ViolationOutcome
    operation: str
    schema_path: str
    principal: str
    requests: int
    first_seen: int
    last_seen: int
