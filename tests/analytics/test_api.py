"""F12: GET /analytics/...: formats, errors, scopes and rights."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from storage.analytics.questions import QUESTIONS
from storage.analytics.views import VIEWS
from tests.analytics.small_catalogue import CAMERA, PROXY, fill
from tests.api.in_process import Running, serving

EXPENSIVE = "SELECT max(repeat(timerange, 100000000)) FROM segments"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("analytics")) as running:
        fill(running.catalog._engine)
        yield running


def schema(server: Running, name: str) -> Any:
    parameters = server.specification.document["paths"][name]["get"]["parameters"]
    return next(each["schema"] for each in parameters if each["in"] == "path")


def test_what_can_be_asked_is_listed_as_documented(server: Running) -> None:
    document = server.client.get("/analytics").json()
    assert [view["name"] for view in document["views"]] == schema(server, "/analytics/views/{view}")["enum"] == [*VIEWS]
    listed = [question["name"] for question in document["questions"]]
    assert listed == schema(server, "/analytics/questions/{question}")["enum"] == [*QUESTIONS]
    assert document["version"] == 1


def test_every_question_is_answered_in_every_format(server: Running) -> None:
    for name in QUESTIONS:
        path = f"/analytics/questions/{name}"
        found = server.client.get(path)
        assert found.status_code == 200, found.text
        rows = found.json()["rows"]
        text = server.client.get(path, headers={"Accept": "text/csv"})
        assert text.headers["content-type"].startswith("text/csv")
        assert len(list(csv.reader(io.StringIO(text.text)))) == len(rows) + 1
        stream = server.client.get(path, headers={"Accept": "application/vnd.apache.arrow.stream"})
        assert stream.headers["content-type"] == "application/vnd.apache.arrow.stream"
        assert pa.ipc.open_stream(stream.content).read_all().num_rows == len(rows)


def test_rows_of_a_view_are_limited(server: Running) -> None:
    found = server.client.get("/analytics/views/segments", params={"limit": 3})
    assert (len(found.json()["rows"]), found.json()["truncated"], found.headers["x-truncated"]) == (3, True, "true")
    head = server.client.head("/analytics/views/segments", params={"limit": 3})
    assert (head.status_code, head.headers["x-truncated"], head.content) == (200, "true", b"")


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/analytics/views/credentials", 404, "view"),
        ("/analytics/questions/none", 404, "question"),
        ("/analytics/sql", 400, "sql"),
        ("/analytics/sql?sql=", 400, "sql"),
        ("/analytics/sql?sql=DELETE+FROM+flows", 400, "sql"),
        ("/analytics/sql?sql=SELECT+nowhere+FROM+flows", 400, "sql"),
        ("/analytics/sql?sql=SELECT+1&limit=0", 400, "limit"),
        ("/analytics/sql?sql=SELECT+1&limit=10001", 400, "limit"),
        ("/analytics/questions/retention?hours=3", 400, "hours"),
        ("/analytics/questions/retention?days=0", 400, "days"),
    ],
)
def test_errors_name_what_is_wrong(server: Running, path: str, status: int, field: str) -> None:
    found = server.client.get(path)
    assert (found.status_code, found.json()["field"]) == (status, field)


@pytest.mark.parametrize("sql", [EXPENSIVE, "SELECT repeat('x', 40000000)"])
def test_a_query_beyond_its_limits_is_an_error_of_its_own(server: Running, sql: str) -> None:
    found = server.client.get("/analytics/sql", params={"sql": sql})
    assert (found.status_code, found.json()["code"]) == (422, "query.too_expensive")


def test_reading_needs_the_scope(server: Running) -> None:
    assert server.with_scopes("write").get("/analytics/views/flows").status_code == 403
    assert server.stranger().get("/analytics").status_code == 401


def test_webhooks_of_others_need_the_scope_to_write(server: Running) -> None:
    reader = server.with_scopes("read")
    assert reader.get("/analytics/views/webhooks").json()["rows"] == []
    assert len(reader.get("/analytics/views/segments").json()["rows"]) == 14
    assert len(server.with_scopes("read", "write").get("/analytics/views/webhooks").json()["rows"]) == 3


def test_classes_decide_which_rows_are_seen(tmp_path: Path) -> None:
    """What listings hide is in no view, and in no sum."""
    with serving(tmp_path, authorisation="classes") as running:
        engine = running.catalog._engine
        fill(engine)
        owners = (("flow", PROXY), ("source", CAMERA))
        with engine.write() as tx:
            rows = [{"kind": kind, "owner_id": id_, "name": "news_read", "created": 0} for kind, id_ in owners]
            tx.insert("classes", cast(Any, rows))

        def seen(*groups: str) -> dict[str, int]:
            client = running.bearer(running.catalog.credentials.add_token(f"of {groups}", ["read"], groups=groups))
            return {name: len(client.get(f"/analytics/views/{name}").json()["rows"]) for name in VIEWS}

        reader = seen("news_read")
        assert (reader["flows"], reader["sources"], reader["segments"], reader["objects"]) == (1, 1, 3, 2)
        assert reader["webhooks"] == 0
        assert set(seen("sport_read").values()) == {0}
        assert len(running.client.get("/analytics/views/flows").json()["rows"]) == 4


def test_analytics_can_be_switched_off(tmp_path: Path) -> None:
    with serving(tmp_path, analytics=False) as running:
        found = running.client.get("/analytics/views/flows")
        assert (found.status_code, found.json()["code"]) == (501, "service.not_installed")
