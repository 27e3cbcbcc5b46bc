"""The marker that an import (storage.tables.transfer) leaves in a catalogue until it is complete."""

from storage.errors import Invalid
from storage.tables.conditions import equals
from storage.tables.engine import Engine

_KEY = "import"


def add_marker(engine: Engine, origin: str) -> None:
    """Record that an import has begun. origin: where it comes from, for messages."""
    with engine.write() as tx:
        tx.insert("service", [{"key": _KEY, "value": origin}])


def remove_marker(engine: Engine) -> None:
    """Record that the import is complete."""
    with engine.write() as tx:
        tx.delete("service", equals(key=_KEY))


def require_complete_import(engine: Engine) -> None:
    """Raise Invalid if an import into this catalogue was interrupted."""
    with engine.read() as tx:
        row = tx.get("service", key=_KEY)
    if row is not None:
        raise Invalid(
            f"the import of {row['value']} into this catalogue was not completed: empty the catalogue and repeat it"
        )
