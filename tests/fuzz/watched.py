"""The server to be fuzzed, held to its log too: what goes wrong behind its answers shows there alone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.kit.server import Subject, own_server

FAULTS = ("event does not conform to the specification", "Traceback (most recent call last)", "CRITICAL")


@contextmanager
def watched_server(folder: Path, settings: Mapping[str, str]) -> Iterator[Subject]:
    """The project's own server until the block ends. Fails then where its log tells of a fault."""
    with own_server(folder, settings) as subject:
        yield subject
    lines = (folder / "server.log").read_text(errors="replace").splitlines()
    faults = [number for number, line in enumerate(lines) if any(fault in line for fault in FAULTS)]
    assert not faults, "\n".join(lines[max(0, faults[0] - 5) : faults[0] + 40])
