"""The service document, and exclusive access to it: all tests, and other users of the server, share one."""

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


def read_service(tams: TamsClient) -> Json:
    """The service document."""
    response = tams.get("/service")
    assert response.status_code == 200, response.text
    document: Json = response.json()
    return document


def offers_webhooks(tams: TamsClient) -> bool:
    """Whether the service document lists webhooks among its event mechanisms."""
    return WEBHOOKS in {each["name"] for each in read_service(tams).get("event_stream_mechanisms", [])}


@contextmanager
def exclusive_service_access(tams: TamsClient) -> Iterator[None]:
    """Hold a lock against other tests that change the service document, and restore its name and description."""
    key = hashlib.sha256(str(tams.http.base_url).encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"tams-kit-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = read_service(tams)
        try:
            yield
        finally:
            tams.post("/service", {member: before.get(member, "") for member in _CHANGEABLE})
