"""The metadata_version of flows: every change of a flow's metadata gives it a new one."""

import uuid
from typing import Any


def next_metadata_version(requested: Any, current: str | None) -> str:
    """The metadata_version after a change: the client's if it is a new one, else one of our own (FLOW-META-09 to -16).

    requested: metadata_version of the request's body, of any JSON type; None if it has none.
    current: the stored version; None for a new flow.
    """
    if isinstance(requested, str) and requested != current:
        return requested
    return uuid.uuid4().hex
