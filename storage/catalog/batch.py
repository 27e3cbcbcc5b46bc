"""Requests that create several things, each of which is created or not by itself (F5, F6), as segments are."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from storage import error_codes
from storage.catalog.clock import rfc3339
from storage.errors import AlreadyExists, Invalid, TamsError

Item = Mapping[str, Any]
"""One item of a request."""
Outcome = dict[str, Any] | TamsError
"""What became of an item: the document of what was created, or the error."""


def check_number_of_items(items: Sequence[Item], most: int, what: str) -> None:
    """Reject more items than one request may have. what: the name of several of them. Raises: Invalid."""
    if len(items) > most:
        raise Invalid(
            f"one request may create at most {most} {what}, not {len(items)}", code=error_codes.TOO_MANY_ITEMS
        )


def with_ids(items: Sequence[Item], member: str = "id") -> list[Item]:
    """The items, those without an id with a new one. member: that has the id."""
    return [item if member in item else {member: str(uuid.uuid4()), **item} for item in items]


def failed_item(number: int, item: Item, ids: Sequence[str], error: TamsError, now: int) -> dict[str, Any]:
    """One entry of the list of items that failed.

    number: of the item in the request, from 0. ids: its members that identify it. now: microseconds since 1970.
    """
    document = {"type": error.kind, "summary": error.message, "time": rfc3339(now), **error.described()}
    return {"index": number, **{name: item[name] for name in ids if name in item}, "error": document}


def repeated(kind: str, id_: str, member: str = "id") -> AlreadyExists:
    """The error for an item with the id of an earlier one of the request. member: that has the id."""
    return AlreadyExists(
        f"{member} {id_} is that of an earlier {kind} of this request", code=error_codes.ITEM_REPEATED, field=member
    )


def exists(kind: str, id_: str) -> AlreadyExists:
    """The error for an item whose id is taken."""
    return AlreadyExists(
        f"{kind} {id_} exists already; it has not been changed", code=error_codes.ALREADY_EXISTS, field="id"
    )
