"""The metrics of one process: what is counted, and under which labels."""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from handlers.shared.call import Result
from storage.catalog.job_control import Backlog
from storage.catalog.job_states import Counts
from storage.errors import Unavailable
from tams_server.metrics.backlog_collector import BacklogCollector
from tams_server.metrics.counters import Metrics
from tams_server.metrics.port import metrics_port
from tams_server.metrics.shared_counters import counters_are_shared, share_counters
from tams_server.pages import metrics_page
from tests.conformance.kit.server import free_port
from tests.servers.small_disks import reason_against
from tests.unit.conftest import Client

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def scrape(client: Client) -> Samples:
    response = client.without_credentials("GET", "/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return samples(response.text)


def test_requests_are_counted_by_operation_method_and_status(make_client: Callable[..., Client]) -> None:
    client = make_client()
    client.stub.result = Result(200, [])
    for _ in range(3):
        client.get("/flows?label=x")
    client.request("HEAD", "/flows")
    client.without_credentials("GET", "/flows")
    client.get("/flows/not-a-uuid")
    found = scrape(client)
    count = "tams_http_requests_total"
    assert value(found, count, operation="GET_flows", method="GET", status="200") == 3
    assert value(found, count, operation="GET_flows", method="HEAD", status="200") == 1
    assert value(found, count, operation="GET_flows", method="GET", status="401") == 1
    assert value(found, "tams_http_request_seconds_count", operation="GET_flows") == 5
    assert value(found, "tams_http_request_seconds_bucket", operation="GET_flows", le="+Inf") == 5
    assert value(found, "tams_http_requests_in_flight") == 1
    assert value(found, "tams_catalogue_up") == 1
    assert value(found, "tams_jobs", kind="delivery", state="waiting") == 0
    assert value(found, "tams_events_pending") == 0
    assert any(name == "tams_build_info" and ("api_version", "8.2") in labels for name, labels in found)


def test_labels_never_contain_text_from_clients(make_client: Callable[..., Client]) -> None:
    client = make_client()
    for path in ("/invented/1", "/invented/2", "/media/invented", "/docs/invented", "/flows/invented", "/healthz"):
        client.get(path)
    client.request("INVENTED", "/invented")
    client.request("OPTIONS", "/invented", headers={"Origin": "http://a.example"})
    text = client.without_credentials("GET", "/metrics").text
    assert "invented" not in text.lower()
    assert "INVENTED" not in text
    found = samples(text)
    count = "tams_http_requests_total"
    assert value(found, count, operation="none", method="GET", status="404") == 2
    assert value(found, count, operation="healthz", method="GET", status="200") == 1
    assert value(found, count, operation="none", method="OPTIONS", status="204") == 1
    assert {dict(labels)["method"] for name, labels in found if name == count} == {"GET", "OPTIONS", "other"}


def test_responses_that_violate_the_specification_are_counted(make_client: Callable[..., Client]) -> None:
    client = make_client()
    client.stub.result = Result(200, [{"no": "flow"}])
    client.get("/flows")
    found = scrape(client)
    assert value(found, "tams_answers_breaking_specification_total", operation="GET_flows") == 1


def test_a_request_without_a_response_counts_as_500(make_client: Callable[..., Client]) -> None:
    client = make_client(fail_on_bad_answer=True)
    client.stub.result = Result(200, [{"no": "flow"}])
    with pytest.raises(Exception, match="GET_flows"):
        client.get("/flows")
    found = scrape(client)
    assert value(found, "tams_http_requests_total", operation="GET_flows", method="GET", status="500") == 1
    assert value(found, "tams_http_requests_in_flight") == 1


def test_the_metrics_page_can_be_disabled(make_client: Callable[..., Client]) -> None:
    client = make_client(metrics=False)
    assert client.get("/metrics").status_code == 404


def test_the_text_is_made_at_most_once_a_second(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(metrics_page, "generate_latest", lambda _registry: made.append(1) or b"x 1\n")
    client = make_client()
    assert [scrape(client) for _ in range(20)][-1] == {("x", frozenset()): 1}
    assert len(made) <= 4, "two parts for each second"


def test_the_metrics_page_may_require_a_token(make_client: Callable[..., Client]) -> None:
    client = make_client(metrics_token="for-prometheus")

    def status(*authorization: str) -> int:
        headers = {"Authorization": authorization[0]} if authorization else {}
        return client.without_credentials("GET", "/metrics", headers=headers).status_code

    assert status("Bearer for-prometheus") == 200
    assert status("bearer  for-prometheus") == 200
    assert [status(), status("Bearer wrong"), status("Basic for-prometheus"), status("Bearer")] == [401] * 4
    response = client.without_credentials("GET", "/metrics")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="metrics"'


def test_the_metrics_page_allows_only_get_and_head(client: Client) -> None:
    assert client.request("POST", "/metrics").status_code == 405
    assert client.request("HEAD", "/metrics").content == b""


def test_backlog_metrics_are_absent_if_the_catalogue_is_unavailable() -> None:
    def read() -> Backlog:
        raise Unavailable("the database is down")

    families = list(BacklogCollector(read).collect())
    assert [(family.name, family.samples[0].value) for family in families] == [("tams_catalogue_up", 0)]


def test_the_catalogue_is_read_at_most_once_a_second() -> None:
    reads = []

    def read() -> Backlog:
        reads.append(1)
        return Backlog({"copy": Counts(1, 2, 3, 0)}, 4, None)

    collector = BacklogCollector(read)
    for _ in range(20):
        families = {family.name: family for family in collector.collect()}
    assert len(reads) < 20
    states = {sample.labels["state"]: sample.value for sample in families["tams_jobs"].samples}
    assert states == {"waiting": 1, "running": 2, "failed": 3}


def test_a_worker_serves_its_metrics_on_its_own_port() -> None:
    metrics = Metrics()
    metrics.count_delivery_attempt("flows/created", delivered=True, seconds=0.2)
    metrics.count_delivery_attempt("flows/created", delivered=False, seconds=0.2)
    port = free_port()
    with metrics_port(("127.0.0.1", port), metrics, lambda: Backlog({}, 0, None)):
        found = samples(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
    assert value(found, "tams_deliveries_total", event_type="flows/created", outcome="delivered") == 1
    assert value(found, "tams_deliveries_total", event_type="flows/created", outcome="failed") == 1
    assert value(found, "tams_catalogue_up") == 1
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_the_next_server_removes_the_folder_of_a_killed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    for name in ("dead", "alive"):
        (tmp_path / f"tams-metrics-{name}").mkdir()
        (tmp_path / f"tams-metrics-{name}" / "in-use").touch()
    with (tmp_path / "tams-metrics-alive" / "in-use").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with share_counters():
            assert counters_are_shared()
            own = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
            assert set(tmp_path.iterdir()) == {tmp_path / "tams-metrics-alive", own}
        assert not own.exists()


_FORKS = """
import os, shutil
from tams_server.metrics.shared_counters import counters_are_complete, begin_counting, share_counters
with share_counters():
    from tams_server.metrics.counters import Metrics, forget_process
    metrics = Metrics()
    for is_idle in (False, False, False, True):
        pid = os.fork()
        if not pid:
            begin_counting()
            if not is_idle:
                metrics.start_request()
                metrics.count_job_run("copy", "done")
            os._exit(0)
        os.waitpid(pid, 0)
        counted = os.path.join(os.environ["PROMETHEUS_MULTIPROC_DIR"], f"counter_{pid}.db")
        assert os.stat(counted).st_blocks * 512 >= 2**20, "its space is reserved"
        forget_process(pid)
        assert os.stat(counted).st_size < 10_000
    from prometheus_client import generate_latest
    print(generate_latest(metrics.shared()).decode(), flush=True)
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    if not os.fork():
        begin_counting()
        metrics.start_request()
        metrics.end_request("GET_flows", "GET", 200, 0.1)
        os._exit(os.EX_OK if not counters_are_complete() else 1)
    assert os.wait()[1] == 0
"""


def test_counters_are_shared_and_requests_of_dead_processes_are_not_in_flight() -> None:
    ran = subprocess.run([sys.executable, "-c", _FORKS], capture_output=True, text=True, check=True, timeout=60)
    found = samples(ran.stdout)
    assert value(found, "tams_job_runs_total", kind="copy", outcome="done") == 3
    assert value(found, "tams_http_requests_in_flight") == 0


def test_processes_count_after_their_folder_was_removed_and_the_page_reports_it(
    make_client: Callable[..., Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last fork above counts in a folder that it has made again: without one, it could respond to no request."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "removed"))
    response = make_client().without_credentials("GET", "/metrics")
    assert response.status_code == 503
    assert "restart the server" in response.json()["detail"]


_FULL = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
from tams_server.metrics.shared_counters import begin_counting, counters_are_complete, share_counters
with share_counters():
    from prometheus_client import generate_latest
    from tams_server.metrics.counters import Metrics, forget_process
    metrics = Metrics()
    in_memory = os.path.join("/dev/shm", os.path.basename(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
    for process in ("begun before", "begun after"):
        print(process, "complete" if counters_are_complete() else "incomplete")
        if not (pid := os.fork()):
            begin_counting()
            try:
                with open(os.path.join(sys.argv[1], process), "wb") as file:
                    file.write(bytes(2**24))
            except OSError:
                pass
            metrics.start_request()
            for number in range(100):
                metrics.end_request(f"operation {number}", "GET", 200, 0.1)
            os._exit(0)
        print(process, os.wait()[1])
        generate_latest(metrics.shared())
        forget_process(pid)
    print("complete" if counters_are_complete() else "incomplete", os.listdir(in_memory))
print(os.path.exists(in_memory))
"""


@pytest.mark.skipif(bool(reason_against()), reason=reason_against())
def test_no_process_is_killed_when_the_disk_of_the_counters_is_full(tmp_path: Path) -> None:
    """A page of a mapped file for which the disk has no room is a SIGBUS, in every process of the server."""
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    script = 'mount -t tmpfs -o size=7m tmpfs "$0" && exec "$1" -c "$2" "$0"'
    command = [*unshare, "sh", "-c", script, str(tmp_path), sys.executable, _FULL]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    before, after = ("begun before complete", "begun before 0"), ("begun after complete", "begun after 0")
    assert ran.stdout.splitlines() == [*before, *after, "incomplete []", "False"]
    assert "No space left" in ran.stderr
