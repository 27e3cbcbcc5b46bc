"""A server with something on every page for operators, and the ids of what it has."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from storage.catalog import job_queue
from storage.catalog.clock import SECOND, rfc3339
from storage.catalog.job_kinds import COPY, copy_key
from storage.catalog.jobs import JobSelection
from storage.catalog.violations import Seen, Violation, day_of
from storage.tables.conditions import equals
from tams_server.console.static_files import FOLDER
from tests.api.in_process import TOKEN, Running, serving
from tests.api.segment_forms import TYPE, upload
from tests.browser.watch import Watch
from tests.conformance.kit.documents import AUDIO, MULTI, TECHNICAL, VIDEO, Json, flow
from tests.conformance.kit.ids import fresh

SEGMENTS = 4
FAILURE = "the storage backend has no space left"
RULE = "#/components/schemas/flow-common/properties/codec/type"
REJECTED = "the receiver responded with status 500"
REFRESH_MS = 4000
"""Between two refreshes of a view that changes."""
_DAY_S = 86_400
_TIMEOUT_MS = 15_000
expect.set_options(timeout=_TIMEOUT_MS)


@dataclass(frozen=True, slots=True)
class Site:
    """running: the server, which has no worker. The others are ids of what it has."""

    running: Running
    camera: str
    edit: str
    sound: str
    programme: str
    object_id: str
    webhook: str
    deletion: str
    deleted_flow: str


@contextmanager
def operator_site(folder: Path) -> Iterator[Site]:
    """Serve an installation with something on every page, until the block ends."""
    settings: dict[str, Any] = {
        "verify_uploads": True,
        "soft_delete_grace": 3600,
        "async_deletion_threshold": 2,
        "webhook_allow": "127.0.0.1",
    }
    with serving(folder, **settings) as running:
        yield _fill(running)


def new_flow(running: Running, format_: str = VIDEO, /, segments: int = 0, **members: object) -> str:
    """Make a flow with media, and return its id."""
    document = flow(format_, **members) if format_ != VIDEO else flow(container=TYPE, **members)
    running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    for number in range(segments):
        upload(running.client, document["id"], number=number).raise_for_status()
    return str(document["id"])


def _fill(running: Running) -> Site:
    client = running.client
    camera = new_flow(running, segments=SEGMENTS, label="Camera 1", tags={"studio": "A", "people": ["ann", "bob"]})
    object_id = client.get(f"/flows/{camera}/segments").json()[0]["object_id"]
    edit = new_flow(running, label="An edit of camera 1")
    reused = {"object_id": object_id, "timerange": "[10:0_11:0)", "ts_offset": "10:0"}
    client.post(f"/flows/{edit}/segments", json=reused).raise_for_status()
    sound = new_flow(running, AUDIO, label="Sound")
    members = [{"id": camera, "role": "video"}, {"id": sound, "role": "audio"}]
    programme = new_flow(running, MULTI, label="Programme", flow_collection=members)
    profile = {"id": fresh(), "label": "Newsroom HD", "flow_metadata": TECHNICAL[VIDEO]}
    client.post(f"/service/profiles/{profile['id']}", json=profile).raise_for_status()
    deletion = new_flow(running, segments=3, label="Being deleted")
    location = client.delete(f"/flows/{deletion}/segments").raise_for_status().headers["Location"]
    deleted = new_flow(running, segments=1, label="Deleted by mistake")
    client.delete(f"/flows/{deleted}").raise_for_status()
    _count_violations(running)
    _fail_a_copy(running, object_id)
    webhook = _failing_webhook(running)
    return Site(running, camera, edit, sound, programme, object_id, webhook, location.rsplit("/", 1)[1], deleted)


def _count_violations(running: Running) -> None:
    now = running.catalog.clock()
    seen = {
        (day_of(now) - days, Violation("rejected", operation, RULE, client)): Seen(
            12 - days, now - days * _DAY_S * SECOND, now - days * _DAY_S * SECOND
        )
        for days in range(3)
        for operation, client in (("PUT_flows-flowId", "ingest"), ("POST_flows", "planning"))
    }
    running.catalog.violations.add(seen)


def _fail_a_copy(running: Running, object_id: str) -> None:
    key = copy_key(fresh(), object_id)
    with running.catalog._engine.write() as tx:
        job_queue.enqueue(tx, running.catalog.clock(), COPY, [key])
    [claim] = running.catalog.jobs.claim("worker-1", [JobSelection(equals(kind=COPY, key=key), 1)])
    running.catalog.jobs.fail(claim, FAILURE)


def _failing_webhook(running: Running) -> str:
    hook: Json = {"url": "https://127.0.0.1:9/hook", "events": ["flows/created", "sources/created"]}
    made = running.client.post("/service/webhooks", json=hook).raise_for_status().json()
    error = {"type": "delivery_failed", "summary": REJECTED, "time": rfc3339(running.catalog.clock())}
    with running.catalog._engine.write() as tx:
        row = tx.get("webhooks", id=made["id"])
        assert row is not None
        values = {"status": "error", "enabled": False, "doc": row["doc"] | {"error": error}}
        tx.update("webhooks", equals(id=made["id"]), values)
    return str(made["id"])


def open_console(page: Page, watch: Watch, running: Running, path: str, token: str = TOKEN) -> None:
    """Open a page of the console, such as "/jobs", signed in by a token."""
    if not (FOLDER / "index.html").exists():
        pytest.skip("the console has not been built; `make console` builds it")
    watch.allow(running.url)
    page.add_init_script(f"sessionStorage.setItem('tams-console-credential', 'Bearer {token}')")
    page.goto(f"{running.url}/console#{path}")
    expect(page.locator("main h1")).to_be_visible(timeout=2 * _TIMEOUT_MS)


def refresh(page: Page) -> None:
    """Let the time pass after which a view asks for changes. The test has begun with `page.clock.install()`."""
    page.clock.run_for(REFRESH_MS + 100)
