"""The server under test: several processes, any catalogue and media, two storage backends, a clock that can be set."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.faults.server_process import ServerProcess
from tests.servers.clock import ServerClock
from tests.servers.stores import Stores
from tests.soak.changes import DELETION_THRESHOLD

SETTINGS = {
    "TAMS_WORKERS": "2",
    "TAMS_WEBHOOK_TIMEOUT": "0.5",
    "TAMS_JOB_LEASE": "1",
    "TAMS_WORKER_INTERVAL": "0.05",
    "TAMS_OBJECT_GRACE": "0",
    "TAMS_ASYNC_DELETION_THRESHOLD": str(DELETION_THRESHOLD),
}


@contextmanager
def new_server(
    folder: Path, stores: Stores, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[ServerProcess, ServerClock]]:
    """A server with its data in `folder`, not started yet, and its clock. settings: more variables."""
    found = stores.settings(folder)
    if "TAMS_STORAGE_BACKENDS" not in found:
        found["TAMS_STORAGE_BACKENDS"] = str(_two_folders(folder))
    clock = ServerClock(folder / "clock")
    try:
        yield ServerProcess(folder, {**SETTINGS, **clock.settings, **found, **(settings or {})}), clock
    finally:
        clock.close()


def _two_folders(folder: Path) -> Path:
    backends = []
    for label in ("first", "second"):
        (folder / label).mkdir(parents=True)
        backends.append({"id": str(uuid.uuid4()), "label": label, "kind": "files", "folder": str(folder / label)})
    file = folder / "backends.yaml"
    file.write_text(yaml.safe_dump({"backends": [{**backends[0], "default": True}, backends[1]]}))
    return file
