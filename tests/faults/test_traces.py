"""F11: traces of requests, transactions and jobs reach an OpenTelemetry collector, and nothing waits for it."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import Subject, own_server
from tests.servers.otlp_collector import Collector, collecting

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SETTINGS = {"TAMS_WORKERS": "1", "TAMS_LOG_JSON": "true", "OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="module")
def subject(collector: Collector, folder: Path) -> Iterator[Subject]:
    settings = {**SETTINGS, "TAMS_OTLP_ENDPOINT": collector.url, "TAMS_ASYNC_DELETION_THRESHOLD": "0"}
    with own_server(folder, settings) as subject:
        yield subject


@pytest.fixture
def client(subject: Subject) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=subject.url, headers=subject.credential, timeout=30) as client:
        yield client


def test_a_request_is_a_span_of_the_trace_that_its_client_began(client: httpx.Client, collector: Collector) -> None:
    document = flow()
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    response = client.put(f"/flows/{document['id']}", json=document, headers=headers)
    assert response.status_code == 201
    span = collector.wait_for("PUT /flows/{flowId}")
    assert (span.trace_id, span.parent_id, span.failed, span.service) == (TRACE, PARENT, False, "tams-server")
    assert span.attributes == {
        "http.request.method": "PUT",
        "http.route": "/flows/{flowId}",
        "http.response.status_code": 201,
        "url.path": f"/flows/{document['id']}",
        "tams.operation": "PUT_flows-flowId",
        "tams.request_id": response.headers["X-Request-Id"],
    }
    collector.wait_for("catalogue write")
    parts = [each for each in collector.trace(TRACE) if each.name == "catalogue write"]
    assert parts and all(each.parent_id == span.span_id for each in parts)


def test_an_unknown_method_is_not_in_a_span(subject: Subject, collector: Collector, client: httpx.Client) -> None:
    trace = "2af7651916cd43dd8448eb211c80319c"
    response = client.request("PROPFIND", "/flows", headers={"traceparent": f"00-{trace}-{PARENT}-00"})
    assert response.status_code == 405
    client.get("/service/webhooks")
    collector.wait_for("GET /service/webhooks")
    [span] = collector.trace(trace)
    assert (span.name.partition(" ")[0], span.attributes["http.request.method"]) == ("HTTP", "_OTHER")


def test_log_lines_name_the_trace(client: httpx.Client, folder: Path) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    client.get("/sources", headers={"traceparent": f"00-{trace}-{PARENT}-01"})
    log = folder / "server.log"

    def named() -> bool:
        return any(f'"trace_id":"{trace}"' in line and "GET /sources" in line for line in log.read_text().splitlines())

    wait_until(named, "the access log with the trace", timeout_s=30)


def test_a_read_that_moves_to_a_thread_has_no_span_twice(client: httpx.Client, collector: Collector) -> None:
    trace = "1af7651916cd43dd8448eb211c80319c"
    client.get("/service", headers={"traceparent": f"00-{trace}-{PARENT}-01"})
    client.get("/service/storage-backends")
    collector.wait_for("GET /service/storage-backends")
    assert [each.name for each in collector.trace(trace)].count("GET /service") == 1


def test_a_job_is_a_trace_of_its_own(client: httpx.Client, collector: Collector) -> None:
    document = flow()
    path = f"/flows/{document['id']}"
    client.put(path, json=document)
    [media_object] = client.post(f"{path}/storage", json={"limit": 1}).json()["media_objects"]
    put_url = media_object["put_url"]
    httpx.put(put_url["url"], content=b"media", headers={"Content-Type": put_url["content-type"]})
    client.post(f"{path}/segments", json={"object_id": media_object["object_id"], "timerange": "[0:0_1:0)"})
    assert client.delete(path).status_code == 202
    span = collector.wait_for("job flow-deletion")
    assert span.parent_id == ""
    assert "catalogue write" in {each.name for each in collector.trace(span.trace_id)}


def test_a_trace_contains_no_credentials(subject: Subject, collector: Collector, client: httpx.Client) -> None:
    token = subject.credential["Authorization"].partition(" ")[2]
    httpx.get(f"{subject.url}/service/profiles", params={"access_token": token}).raise_for_status()
    span = collector.wait_for("GET /service/profiles")
    assert token not in repr(collector.trace(span.trace_id))


def test_probes_are_not_traced(subject: Subject, client: httpx.Client, collector: Collector) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert httpx.get(f"{subject.url}{path}").status_code == 200
    client.get("/service/webhooks")
    collector.wait_for("GET /service/webhooks")
    assert not [name for name in collector.names() if name.endswith(("healthz", "readyz", "metrics"))]


def test_no_request_waits_for_a_collector_that_does_not_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {**SETTINGS, "TAMS_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        with own_server(tmp_path, settings) as subject:
            with httpx.Client(base_url=subject.url, headers=subject.credential, timeout=4) as client:
                for _ in range(50):
                    assert client.get("/flows").status_code == 200
            assert subject.process is not None
            began = time.monotonic()
            subject.process.terminate()
            assert subject.process.wait(30) == 0
            assert time.monotonic() - began < 20
