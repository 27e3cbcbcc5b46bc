"""tams-server query, on the embedded catalogue."""

import json
from pathlib import Path

import pytest

from storage.analytics.views import VIEWS
from storage.tables.sqlite import SqliteEngine
from tams_server.cli.main import main
from tests.analytics.small_catalogue import EMPTY, PROXY, fill


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    output, errors = capsys.readouterr()
    return status, output, errors


@pytest.fixture
def folder(tmp_path: Path) -> str:
    engine = SqliteEngine(tmp_path / "catalog.db")
    engine.create()
    fill(engine)
    engine.close()
    return str(tmp_path)


def test_questions_and_queries_are_answered(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    query = ("query", "--data-dir", folder)
    status, output, _ = run(capsys, *query, "stopped-ingests", "--set", "minutes=1", "--format", "json")
    assert status == 0
    assert [row["flow_id"] for row in json.loads(output)["rows"]] in ([PROXY], [PROXY, EMPTY], [])
    status, output, errors = run(capsys, *query, "SELECT label FROM flows ORDER BY label", "--limit", "2")
    assert (status, output.split()) == (0, ["label", "-----", "Empty", "Main"])
    assert "--limit" in errors
    status, output, _ = run(capsys, *query, "SELECT count(*) AS n FROM segments", "--format", "csv")
    assert (status, output.split()) == (0, ["n", "14"])


def test_mistakes_are_told(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    query = ("query", "--data-dir", folder)
    status, _, errors = run(capsys, *query, "SELECT * FROM credentials")
    assert (status, "may name the views" in errors) == (1, True)
    status, _, errors = run(capsys, *query, "retention", "--set", "hours=1")
    assert (status, "days" in errors) == (2, True)
    status, _, errors = run(capsys, "query", "--data-dir", f"{folder}/none", "retention")
    assert (status, "no catalogue" in errors) == (1, True)


def test_questions_and_definitions_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    status, output, _ = run(capsys, "query")
    assert (status, "usage-by-flow" in output, "--set days=7" in output) == (0, True, True)
    status, output, _ = run(capsys, "query", "--define", "postgres")
    assert (status, output.count("CREATE OR REPLACE VIEW")) == (0, len(VIEWS))
