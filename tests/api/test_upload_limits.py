"""F7: quotas, classes and the audit log hold for uploads of segments as for single requests."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.in_process import Running, serving
from tests.api.segment_forms import MEDIA, file_part, files, form, rows, segment, segment_part, send, upload
from tests.conformance.kit.documents import flow


@contextmanager
def limited(folder: Path, **settings: Any) -> Iterator[tuple[Running, str]]:
    """Serve with these settings, and make a flow."""
    with serving(folder, **settings) as running:
        document = flow()
        assert running.client.put(f"/flows/{document['id']}", json=document).status_code == 201
        yield running, document["id"]


@pytest.mark.parametrize(
    "quotas",
    [
        {"quota_uploads": 2},
        {"quota_allocations": 2},
        {"quota_upload_bytes": len(MEDIA) + 2000},
    ],
)
def test_uploads_count_towards_the_quotas_of_a_time(tmp_path: Path, quotas: dict[str, int]) -> None:
    with limited(tmp_path, quota_window=3600, **quotas) as (running, flow_id):
        assert upload(running.client, flow_id).status_code == 201
        # What breaks a rule allocates nothing, and begins no upload.
        assert upload(running.client, flow_id).status_code == 400
        assert upload(running.client, flow_id, number=1).status_code == 201
        response = upload(running.client, flow_id, number=2)
        assert response.status_code == 429
        assert int(response.headers["Retry-After"]) >= 1
        assert len(rows(running.catalog._engine, "objects")) == 2


def test_uploads_count_towards_the_quota_of_stored_bytes(tmp_path: Path) -> None:
    with limited(tmp_path, quota_stored_bytes=len(MEDIA) + 10) as (running, flow_id):
        assert upload(running.client, flow_id).status_code == 201
        response = upload(running.client, flow_id, number=1)
        assert response.status_code == 403
        assert "quota of stored bytes" in response.json()["detail"]
        [row] = rows(running.catalog._engine, "usage")
        assert row["bytes"] == len(MEDIA)
        assert len(files(tmp_path / "media")) == len(rows(running.catalog._engine, "objects")) == 1


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with limited(tmp_path) as (running, flow_id):
        [store] = running.catalog._stores.values()
        store._space._reserve = 2**62  # type: ignore[attr-defined]
        response = upload(running.client, flow_id)
        assert response.status_code == 503
        assert rows(running.catalog._engine, "objects", "instances") == files(tmp_path / "media") == []


def test_an_upload_takes_the_memory_of_bodies_for_its_document_alone(tmp_path: Path) -> None:
    with limited(tmp_path, body_memory=100_000) as (running, flow_id):
        assert upload(running.client, flow_id, b"x" * 3_000_000).status_code == 201
        body = form(segment_part(segment(1, junk="x" * 200_000)), file_part())
        response = send(running.client, flow_id, body)
        assert response.status_code == 503
        assert "Retry-After" in response.headers


def test_an_upload_is_one_line_of_the_audit_log(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    with limited(tmp_path / "data", audit_log=str(log)) as (running, flow_id):
        object_id = upload(running.client, flow_id).headers["Location"].rpartition("/")[2]
        assert object_id
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    [line] = [line for line in lines if line.get("operation") == "POST_flows-flowId-segments"]
    assert (line["status"], line["resource"]) == (201, f"/flows/{flow_id}/segments")


@pytest.mark.behaviour("AUTHZ-03", "AUTHZ-08")
def test_classes_decide_who_may_upload(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "authorisation.md").read_text()
    rules = tmp_path / "rules.yaml"
    rules.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    settings: dict[str, Any] = {"authorisation": "classes", "authorisation_rules": rules}
    with serving(tmp_path / "data", **settings) as running:
        scopes = ("read", "write", "delete")

        def client(name: str, *groups: str) -> Any:
            return running.bearer(running.catalog.credentials.add_token(name, scopes, groups=groups))

        news = client("news", "news_read", "news_write", "news_delete")
        document = flow()
        assert news.put(f"/flows/{document['id']}", json=document).status_code == 201
        assert upload(client("sport", "sport_read", "sport_write"), document["id"]).status_code == 404
        assert upload(client("reader", "news_read"), document["id"]).status_code == 403
        assert rows(running.catalog._engine, "objects") == []
        assert upload(news, document["id"]).status_code == 201
