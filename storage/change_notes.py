"""Facts about a change, noted where it is made, for what records changes (the audit log of the server).

They cost nothing where nobody collects them. A transaction that is retried notes the same facts again, so each has a
key and replaces the earlier one.
"""

from contextvars import ContextVar
from typing import Any

_notes: ContextVar[dict[str, Any] | None] = ContextVar("change_notes", default=None)


def start_notes() -> dict[str, Any]:
    """Collect what is noted from now on in this context, and in copies of it, by key. One context, one request."""
    notes: dict[str, Any] = {}
    _notes.set(notes)
    return notes


def note(key: str, value: Any) -> None:
    """Note a fact, if somebody collects them. value: what JSON can hold."""
    notes = _notes.get()
    if notes is not None:
        notes[key] = value
