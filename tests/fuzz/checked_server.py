"""A server whose log is checked for faults, because background errors show only there."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from storage.catalog.credentials import Credentials
from storage.tables import open_engine
from tests.conformance.kit.server import Subject, own_server
from tests.fuzz.resources import CLIENT_ID, CLIENT_SECRET
from tests.token_clients import add_client

FAULTS = ("event does not conform to the specification", "Traceback (most recent call last)", "CRITICAL")


@contextmanager
def checked_server(folder: Path, settings: Mapping[str, str]) -> Iterator[Subject]:
    """Run the project's own server until the block ends, then fail if its log contains a fault."""
    with own_server(folder, settings) as subject:
        _add_client(folder / "data" / "catalog.db")
        yield subject
    lines = (folder / "server.log").read_text(errors="replace").splitlines()
    faults = [number for number, line in enumerate(lines) if any(fault in line for fault in FAULTS)]
    assert not faults, "\n".join(lines[max(0, faults[0] - 5) : faults[0] + 40])


def _add_client(database: Path) -> None:
    """Add the client that fetches tokens."""
    with closing(open_engine(database)) as engine:
        add_client(Credentials(engine), CLIENT_ID, ["admin"], secret=CLIENT_SECRET)
