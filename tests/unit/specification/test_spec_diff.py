"""Comparing two copies of the specification with `tams-server spec diff`."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tams_server.cli.main import main
from tams_server.specification.diff import compare

API = Path(__file__).parents[3] / "api"
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(API, tmp_path / "copy"))


def edit(file: Path, change: Edit) -> None:
    content = yaml.safe_load(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def differences(copy: Path) -> list[str]:
    return compare(API, copy).differences


def test_identical_copies_have_no_differences(copy: Path) -> None:
    comparison = compare(API, copy)
    assert comparison.differences == []
    assert (comparison.operations, comparison.webhooks, comparison.schemas) == (85, 8, 47)


def test_titles_descriptions_and_examples_are_ignored(copy: Path) -> None:
    edit(copy / "schemas" / "uuid.json", lambda s: s.update(description="else", title="else", examples=[1]))
    edit(copy / "TimeAddressableMediaStore.yaml", lambda d: d["paths"]["/"]["get"].update(summary="else"))
    assert differences(copy) == []


def test_inlined_components_are_no_difference(copy: Path) -> None:
    """A copy may repeat parts in place that ours shares under `components`."""

    def inline(document: dict[str, Any]) -> None:
        for item in document["paths"].values():
            for operation in item.values():
                for parameter in operation.get("parameters", []) if isinstance(operation, dict) else []:
                    if parameter.get("$ref", "").startswith("#/components/parameters/"):
                        name = parameter.pop("$ref").rpartition("/")[2]
                        parameter.update(document["components"]["parameters"][name])

    edit(copy / "TimeAddressableMediaStore.yaml", inline)
    assert differences(copy) == []


@pytest.mark.parametrize(
    ("file", "change", "line"),
    [
        (
            "TimeAddressableMediaStore.yaml",
            lambda d: d["paths"]["/service"].pop("post"),
            "POST /service: only here",
        ),
        (
            "TimeAddressableMediaStore.yaml",
            lambda d: d["paths"].update({"/new": {"get": {}}}),
            "GET /new: missing here",
        ),
        (
            "TimeAddressableMediaStore.yaml",
            lambda d: d["paths"]["/"]["get"].update(operationId="x"),
            "GET / > operationId: GET_root here, x there",
        ),
        (
            "TimeAddressableMediaStore.yaml",
            lambda d: d["paths"]["/service"]["post"]["requestBody"].update(required=False),
            "POST /service > request body > required: True here, False there",
        ),
        (
            "TimeAddressableMediaStore.yaml",
            lambda d: d["webhooks"].pop("flows/created"),
            "webhook POST flows/created: only here",
        ),
        (
            "TimeAddressableMediaStore.yaml",
            lambda d: d.update(security=[]),
            "security: ",
        ),
        ("schemas/uuid.json", lambda s: s.update(pattern="x"), "schema uuid > pattern: "),
        ("schemas/flow-common.json", lambda s: s["properties"].pop("label"), "schema flow-common > properties > label"),
        ("schemas/error.json", lambda s: s["required"].pop(), "schema error > required: "),
    ],
)
def test_each_difference_is_one_line(copy: Path, file: str, change: Edit, line: str) -> None:
    edit(copy / file, change)
    found = differences(copy)
    assert len(found) == 1
    assert found[0].startswith(line)


def test_statuses_and_headers_are_compared(copy: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        responses = document["paths"]["/flows/{flowId}/segments"]["delete"]["responses"]
        responses["209"] = responses.pop("204")
        responses["202"]["headers"] = {}

    edit(copy / "TimeAddressableMediaStore.yaml", change)
    place = "DELETE /flows/{flowId}/segments > status"
    assert differences(copy) == [
        f"{place} 202 > header location: only here",
        f"{place} 204: only here",
        f"{place} 209: missing here",
    ]


def test_exit_status_shows_whether_copies_differ(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "diff", str(copy)]) == 0
    assert capsys.readouterr().out == "85 operations, 8 webhooks, 47 schemas: 0 differences\n"
    edit(copy / "schemas" / "uuid.json", lambda s: s.update(pattern="x"))
    assert main(["spec", "diff", str(copy)]) == 1
    assert capsys.readouterr().out.endswith("1 differences\n")
    assert main(["spec", "diff", str(copy / "nothing")]) == 1
