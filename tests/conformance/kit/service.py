"""The service document, and a turn at changing it: there is one for all tests, and for whoever else uses the server."""

import fcntl
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json

WEBHOOKS = "webhooks"
_CHANGEABLE = ("name", "description")


def service_of(tams: TamsClient) -> Json:
    """The service document."""
    answer = tams.get("/service")
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


def offers_webhooks(tams: TamsClient) -> bool:
    """Whether the service says that it has webhooks."""
    return WEBHOOKS in {each["name"] for each in service_of(tams).get("event_stream_mechanisms", [])}


@contextmanager
def turn_at_changing(tams: TamsClient) -> Iterator[None]:
    """Keeps other tests from changing the service until the block ends, and gives it its old name back."""
    key = hashlib.sha256(str(tams.http.base_url).encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"tams-kit-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = service_of(tams)
        try:
            yield
        finally:
            tams.post("/service", {member: before.get(member, "") for member in _CHANGEABLE})
