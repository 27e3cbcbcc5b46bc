"""F22: replications between servers of other kinds: SQLite and files here, PostgreSQL and S3 there, and back."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.documents import flow
from tests.conformance.kit.server import free_port, own_server
from tests.replication.pair import Pair, Tams, events_at, following, until
from tests.servers.stores import running


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tams]:
    """A server with PostgreSQL and S3, whose worker delivers events."""
    folder = tmp_path_factory.mktemp("other")
    with running("postgresql", "s3") as stores, own_server(folder, stores.settings(folder)) as subject:
        yield Tams(subject.url, subject.token)


@pytest.fixture
def there(servers: tuple[Tams, Tams], other: Tams, tmp_path: Path) -> Pair:
    """From SQLite and files to PostgreSQL and S3."""
    return Pair(servers[0], other, tmp_path)


def test_there_and_back(there: Pair, servers: tuple[Tams, Tams]) -> None:
    document = there.origin.put_flow(flow(label="a programme"))
    there.origin.ingest(document["id"], range(5), 300_000)
    outcome = there.run(document["id"])
    assert (outcome.problems, outcome.report.objects_copied, outcome.report.objects_proven) == ([], 5, 5)
    there.assert_same(document["id"])
    back = Pair(there.target, servers[1], there.folder)
    outcome = back.run(document["id"], verify=1.0)
    assert (outcome.problems, outcome.report.objects_copied, outcome.report.objects_reread) == ([], 5, 5)
    Pair(servers[0], servers[1], there.folder).assert_same(document["id"])


def test_events_wake_a_run_that_would_sleep(there: Pair) -> None:
    pair = there.reversed()
    document = pair.origin.put_flow(flow())
    flow_id = document["id"]
    pair.origin.ingest(flow_id, [0, 1, 5])
    events = events_at(free_port())
    with following(pair.plan(flow_id, follow=True, interval_s=3600, events=events)) as outcome:
        until(lambda: len(pair.target.segments(flow_id)) == 3, "the first pass")
        pair.origin.ingest(flow_id, [3])  # not at the end, where polling would look
        until(lambda: len(pair.target.segments(flow_id)) == 4, "the event")
        assert httpx.post(events.url, json={"event": {}}).status_code == 401
    assert outcome.problems == []
    webhooks = pair.origin.http.get("/service/webhooks").json()
    assert [each for each in webhooks if each["url"] == events.url] == []
