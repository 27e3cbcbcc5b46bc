"""F15: tams-server jobs and tams-server check, from the command line."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.catalog.job_control import url_without_secrets
from storage.catalog.job_kinds import DELIVERY
from storage.catalog.jobs import JobSelection, LeaseLost
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.tables.conditions import equals
from tams_server.cli.main import main
from tams_server.settings import Settings
from tams_server.wiring import Parts, open_parts, prepare
from tests.conformance.kit.documents import flow
from tests.engines.damage import damage_index
from tests.unit.catalogs import BASE, CALLER, EVENT_TYPES

SECRET = "secret-of-the-receiver"


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """Open parts of a server in which deleting more than two segments becomes a job."""
    settings = Settings(data_dir=tmp_path, bootstrap_token="t", async_deletion_threshold=2, webhook_allow="127.0.0.0/8")
    prepare(settings)
    parts = open_parts(settings)
    yield parts
    parts.close()


@pytest.fixture
def run(parts: Parts, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """A function that runs a command and returns its exit status and output."""

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main([*arguments, "--data-dir", str(parts.settings.data_dir)])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def make_webhook(parts: Parts) -> str:
    """Create a webhook with a secret in every field that can hold one. Returns its id."""
    body = {
        "url": f"http://127.0.0.1:9/hook?key={SECRET}",
        "events": list(EVENT_TYPES),
        "api_key_name": "X-Key",
        "api_key_value": SECRET,
    }
    webhook_id: str = parts.catalog.webhooks.create(CALLER, body, BASE)["id"]
    return webhook_id


def make_flow(parts: Parts) -> str:
    document = flow()
    parts.catalog.flows.put(CALLER, document["id"], document)
    parts.catalog.deliveries.dispatch()
    flow_id: str = document["id"]
    return flow_id


def make_segments(parts: Parts, count: int) -> str:
    """Create a flow with `count` segments and their bytes. Returns the flow id."""
    flow_id = make_flow(parts)
    ids = [f"{flow_id}-{n}" for n in range(count)]
    parts.catalog.allocation.allocate(CALLER, flow_id, {"object_ids": ids}, BASE)
    [store] = parts.stores.values()
    for object_id in ids:
        store.write(object_id, "video/mp2t", iter([b"bytes"]))
    items = [{"object_id": object_id, "timerange": f"[{n}:0_{n + 1}:0)"} for n, object_id in enumerate(ids)]
    assert parts.catalog.segments.register(CALLER, flow_id, items) == []
    return flow_id


def claim(parts: Parts, kind: str) -> Any:
    [held] = parts.catalog.jobs.claim("a worker", [JobSelection(equals(kind=kind), 10)])
    return held


def test_jobs_are_counted_and_listed_without_secrets(parts: Parts, run: Any) -> None:
    webhook_id = make_webhook(parts)
    make_flow(parts)
    parts.catalog.deliveries.record_failure(
        claim(parts, DELIVERY), "status", "The receiver responded with 500 Internal Server Error.", None, gone=False
    )
    status, output = run("jobs")
    assert status == 0
    assert f"delivery {webhook_id}" in output
    assert "http://127.0.0.1:9/hook\n" in output
    assert "2 events waiting" in output
    assert "failed 1 times: The receiver responded with 500" in output
    assert SECRET not in output
    status, output = run("jobs", "--json", "--state", "waiting")
    document = json.loads(output)
    assert SECRET not in output
    assert document["counts"]["delivery"] | {"oldest_age_seconds": 0} == {
        "waiting": 1,
        "running": 0,
        "failed": 0,
        "oldest_age_seconds": 0,
    }
    assert document["counts"]["delivery"]["oldest_age_seconds"] < 60
    assert [job["key"] for job in document["jobs"]] == [webhook_id]
    assert json.loads(run("jobs", "--json", "--state", "failed")[1])["jobs"] == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@host.example:8443/a/b?c=d#e", "https://host.example:8443/a/b"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("http://host:port/", "(a malformed URL)"),
    ],
)
def test_urls_are_shown_without_secrets(url: str, shown: str) -> None:
    assert url_without_secrets(url) == shown


def test_a_job_that_failed_permanently_can_be_retried(parts: Parts, run: Any) -> None:
    parts.catalog.deletions.delete_segments(CALLER, make_segments(parts, 5), SegmentFilter())
    held = claim(parts, "flow-deletion")
    with parts.engine.write() as tx:
        tx.update("jobs", held.where, {"due": None, "token": None, "attempts": 50, "error": "no route to host"})
    assert "failed 50 times: no route to host" in run("jobs", "--state", "failed")[1]
    assert run("jobs", "retry", "--failed") == (0, "retrying 1 jobs\n")
    assert parts.catalog.jobs.list_jobs()[0]["state"] == "waiting"
    assert run("jobs", "retry", held.kind, held.key)[0] == 0
    assert not parts.catalog.flow_delete_requests.delete_batch(claim(parts, "flow-deletion"))
    assert parts.catalog.flow_delete_requests.get(CALLER, held.key)["status"] == "done"


def test_retry_needs_a_job(run: Any) -> None:
    assert run("jobs", "retry")[0] == 1
    assert run("jobs", "retry", "copy", "x", "--failed")[0] == 1
    status, output = run("jobs", "retry", "copy", "x y")
    assert (status, output) == (1, "tams-server: there is no job copy x y\n")
    with pytest.raises(SystemExit):
        run("jobs", "retry", "nonsense", "x")


def test_a_discarded_deletion_shows_an_error_and_stops(parts: Parts, run: Any) -> None:
    flow_id = make_segments(parts, 5)
    made = parts.catalog.deletions.delete_segments(CALLER, flow_id, SegmentFilter())
    assert made is not None
    held = claim(parts, "flow-deletion")
    assert run("jobs", "discard", "flow-deletion", made["id"])[0] == 0
    with pytest.raises(LeaseLost):
        parts.catalog.flow_delete_requests.delete_batch(held)
    request = parts.catalog.flow_delete_requests.get(CALLER, made["id"])
    assert request["status"] == "error"
    assert "discarded" in request["error"]["summary"]
    assert parts.catalog.jobs.list_jobs() == []
    assert run("jobs", "discard", "flow-deletion", made["id"])[0] == 1


def test_a_discarded_delivery_drops_waiting_events_but_not_later_ones(parts: Parts, run: Any) -> None:
    webhook_id, other_id = make_webhook(parts), make_webhook(parts)
    make_flow(parts)
    held = parts.catalog.jobs.claim("a worker", [JobSelection(equals(kind=DELIVERY), 10)])
    mine = next(each for each in held if each.key == webhook_id)
    status, output = run("jobs", "discard", "delivery", webhook_id)
    assert status == 0
    assert ": 2 events are not sent" in output
    with pytest.raises(LeaseLost):
        parts.catalog.deliveries.prepare_request(mine, parts.catalog.deliveries.next_batch(other_id, 1)[0])
    assert parts.catalog.deliveries.next_batch(webhook_id, 10) == []
    assert len(parts.catalog.deliveries.next_batch(other_id, 10)) == 2
    assert parts.catalog.webhooks.get(CALLER, webhook_id)["status"] == "created"
    make_flow(parts)
    assert len(parts.catalog.deliveries.next_batch(webhook_id, 10)) == 2
    assert {job["key"] for job in parts.catalog.jobs.list_jobs()} == {webhook_id, other_id}
    for each in (webhook_id, other_id):
        assert run("jobs", "discard", "delivery", each)[0] == 0
    with parts.engine.read() as tx:
        assert tx.select("events") == []


def test_a_discarded_copy_is_removed_and_a_running_one_is_rejected(parts: Parts, run: Any) -> None:
    flow_id = make_segments(parts, 1)
    [storage_id] = parts.stores
    doc = {"object_id": f"{flow_id}-0", "storage_id": storage_id}
    key = f"{storage_id} new copy"
    with parts.engine.write() as tx:
        held = parts.catalog.jobs.start(tx, "request", "copy", key, doc | {"object_id": "new copy"})
    status, output = run("jobs", "discard", "copy", key)
    assert status == 1
    assert "is being worked on" in output
    parts.catalog.jobs.fail(held, "it broke")
    assert f"copy '{key}'" in run("jobs")[1]
    assert run("jobs", "discard", "copy", key)[0] == 0
    with parts.engine.read() as tx:
        assert [row["object_id"] for row in tx.select("garbage")] == ["new copy"]
    assert [job["kind"] for job in parts.catalog.jobs.list_jobs()] == ["removal"]


def test_a_discarded_removal_leaves_the_bytes(parts: Parts, run: Any) -> None:
    gone = "33333333-3333-4333-8333-333333333333"
    with parts.engine.write() as tx:
        tx.insert("garbage", [{"storage_id": gone, "object_id": f"o{n}", "due": 0} for n in range(3)])
        parts.catalog.jobs.start(tx, "w", "removal", gone, {})
    assert "3 objects to remove" in run("jobs")[1]
    status, output = run("jobs", "discard", "removal", gone)
    assert (status, ": 3 objects keep their bytes" in output) == (0, True)
    with parts.engine.read() as tx:
        assert tx.select("garbage") == tx.select("jobs") == []


def test_check_reports_and_repairs_findings(parts: Parts, run: Any) -> None:
    make_segments(parts, 2)
    [(storage_id, store)] = parts.stores.items()
    assert run("check") == (
        0,
        "checked 1 database by PRAGMA integrity_check, "
        f"2 objects on backend {storage_id}, 2 instances, 2 segments, 2 objects, 1 flows, 0 tags, 0 segment tags, "
        "0 numbers of live playlists, 0 usage: no findings\n",
    )
    store.write("stray", "video/mp2t", iter([b"stray"]))
    os.utime(store.file_of("stray"), (1, 1))
    status, output = run("check")
    assert status == 1
    assert output.startswith(f"unknown-bytes      object stray, backend {storage_id}: ")
    assert "1 unknown-bytes; 0 repaired, 1 remaining" in output
    status, output = run("check", "--repair", "--json")
    finding, summary = map(json.loads, output.splitlines())
    assert (status, finding["kind"], finding["repaired"]) == (0, "unknown-bytes", True)
    assert (summary["summary"]["repaired"], summary["summary"]["left"]) == (1, 0)
    assert run("check", "--backend", storage_id)[0] == 0
    assert run("check", "--backend", "nowhere")[0] == 1


def test_check_begins_with_the_check_of_the_database_itself(parts: Parts, run: Any) -> None:
    make_segments(parts, 2)
    damage_index(parts.settings.data_dir / "catalog.db", "objects")
    status, output = run("check", "--repair")
    assert status == 1
    assert output.startswith("damaged-database ")
    assert "checked 1 database by PRAGMA integrity_check: " in output
    assert "unknown-bytes" not in output, "nothing that relies on the database is reported or repaired"


def test_a_folder_without_a_catalogue_is_rejected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAMS_DATABASE_URL", raising=False)
    for command in ("check", "jobs"):
        assert main([command, "--data-dir", str(tmp_path / "mistyped")]) == 1
        assert "there is no catalogue in" in capsys.readouterr().err
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize(
    "command", [["worker"], ["jobs"], ["jobs", "retry"], ["jobs", "discard"], ["check"]], ids=" ".join
)
def test_the_commands_have_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert "usage: tams-server" in capsys.readouterr().out
