"""F23: who breaks the schemas, at /compliance and by `tams-server compliance`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog.violations import Seen, Violation
from tests.api.commands import run_command
from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import flow

DAY = 20_000
AT = DAY * 86_400 * 1_000_000
RULE = "#/components/schemas/flow-common/required"


def fill(running: Running) -> None:
    counts = {
        (DAY - number, Violation("rejected", "PUT_flows-flowId", RULE, name)): Seen(number + 1, AT, AT)
        for number in range(3)
        for name in ("ann", "bob")
    }
    counts[DAY, Violation("accepted", "PUT_flows-flowId", RULE, "ann")] = Seen(9, AT, AT)
    running.catalog.violations.add(counts)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("compliance")) as running:
        fill(running)
        yield running


def test_counts_are_listed_by_day(running: Running) -> None:
    found = running.client.get("/compliance").json()
    assert len(found) == 7
    assert [each["day"] for each in found] == sorted((each["day"] for each in found), reverse=True)
    assert found[-1]["requests"] == 3


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("client=ann", 4),
        ("outcome=accepted", 1),
        ("from=2024-10-04", 3),
        ("to=2024-10-02", 2),
        ("from=2024-10-03&to=2024-10-03&client=bob", 1),
        ("operation=GET_flows", 0),
        ("schema_path=%23%2Fcomponents%2Fschemas%2Fflow-common%2Frequired", 7),
    ],
)
def test_counts_are_filtered(running: Running, query: str, number: int) -> None:
    assert len(running.client.get(f"/compliance?{query}").json()) == number


def test_counts_are_paged(running: Running) -> None:
    seen, url = [], "/compliance?limit=3"
    while url:
        response = running.client.get(url)
        seen += response.json()
        url = response.links.get("next", {}).get("url", "")
    assert seen == running.client.get("/compliance").json()


@pytest.mark.parametrize(
    "query", ["from=yesterday", "to=2024-13-01", "outcome=forgiven", "page=x", "from=9999999-01-01"]
)
def test_invalid_filters_are_named(running: Running, query: str) -> None:
    response = running.client.get(f"/compliance?{query}")
    assert (response.status_code, response.json()["field"]) == (400, query.partition("=")[0])


def test_only_administrators_read_the_names_of_clients(running: Running) -> None:
    with running.with_scopes("read", "write", "delete") as client:
        assert client.get("/compliance").json()["code"] == "auth.scope"
    with running.stranger() as client:
        assert client.get("/compliance").status_code == 401


def test_requests_are_counted_by_operation_rule_and_client(tmp_path: Path) -> None:
    with serving(tmp_path) as running, running.with_scopes("read", "write") as client:
        for _ in range(2):
            assert client.get("/flows?format=smell").status_code == 400
        document = {**flow(), "codec": 5}
        assert client.put(f"/flows/{document['id']}", json=document).status_code == 400
        assert running.stranger().get("/flows?format=smell").status_code == 401
        assert client.get("/flows?page=x").status_code == 400, "breaks no schema"
    with serving(tmp_path) as running:
        found = {(each["operation"], each["client"]): each for each in running.client.get("/compliance").json()}
    assert {key: each["requests"] for key, each in found.items()} == {
        ("GET_flows", "only read write"): 2,
        ("PUT_flows-flowId", "only read write"): 1,
    }
    assert found["GET_flows", "only read write"]["schema_path"] == "#/components/schemas/content-format/enum"
    assert "codec" in found["PUT_flows-flowId", "only read write"]["schema_path"]


def test_nothing_is_counted_if_no_days_are_kept(tmp_path: Path) -> None:
    with serving(tmp_path, compliance_days=0) as running:
        assert running.client.get("/flows?format=smell").status_code == 400
    with serving(tmp_path, compliance_days=0) as running:
        assert running.client.get("/compliance").json() == []


def test_the_command_counts_by_what_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path) as running:
        fill(running)
    folder = ["--data-dir", str(tmp_path)]
    assert run_command("compliance", "--by", "client,outcome", *folder) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["9", "ann", "accepted"],
        ["6", "ann", "rejected"],
        ["6", "bob", "rejected"],
    ]
    assert run_command("compliance", "--by", "day", "--since", "2024-10-04", "--json", *folder) == 0
    assert json.loads(capsys.readouterr().out) == {"day": "2024-10-04", "requests": 11}
    with pytest.raises(SystemExit):
        run_command("compliance", "--by", "colour", *folder)


def test_a_scan_checks_every_document_and_can_be_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path) as running:
        for _ in range(3):
            document = flow()
            running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
        segment = {
            "object_id": "o",
            "timerange": "[0:0_1:0)",
            "get_urls": [{"label": "l", "url": "https://a.example/"}],
        }
        running.client.post(f"/flows/{document['id']}/segments", json=segment).raise_for_status()
    folder = ["--data-dir", str(tmp_path)]
    assert run_command("compliance", "--scan", *folder) == 0
    assert "7 documents checked, 0 break the schemas" in capsys.readouterr().err
    assert run_command("compliance", "--scan", "--from", "flows:", *folder) == 0
    assert "4 documents checked" in capsys.readouterr().err
    assert run_command("compliance", "--scan", "--from", "elsewhere:", *folder) == 1
    assert "must begin with one of profiles, sources, flows" in capsys.readouterr().err
