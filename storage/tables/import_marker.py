"""The mark that an import leaves on a catalogue until it has come to its end (storage.tables.transfer)."""

from storage.errors import Invalid
from storage.tables.conditions import equals
from storage.tables.engine import Engine

_MARK = "import"


def mark(engine: Engine, origin: str) -> None:
    with engine.write() as tx:
        tx.insert("service", [{"key": _MARK, "value": origin}])


def unmark(engine: Engine) -> None:
    with engine.write() as tx:
        tx.delete("service", equals(key=_MARK))


def check_whole(engine: Engine) -> None:
    """Raises Invalid where an import into this catalogue was interrupted."""
    with engine.read() as tx:
        row = tx.get("service", key=_MARK)
    if row is not None:
        raise Invalid(f"the import of {row['value']} into this catalogue did not come to its end: empty it and repeat")
