"""F11: the Grafana dashboard shows metrics that the server has, with labels that they have."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.in_process import serving
from tests.conformance.kit.documents import flow

DASHBOARD = json.loads((Path(__file__).parents[2] / "docs/grafana/tams-server.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
ADDED_BY_PROMETHEUS = {"instance"}

_METRIC = re.compile(r"\btams_\w+")
_LABELS = re.compile(r"(?:by \(([^)]*)\)|(\w+)=~?\")")


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each sample that the server's metrics have or, without a sample yet, are described to have."""
    with serving(tmp_path_factory.mktemp("dashboard")) as running:
        document = flow()
        running.client.put(f"/flows/{document['id']}", json=document)
        running.client.get("/flows/none")
        text = running.client.get("/metrics").text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        for suffix in suffixes:
            found[family.name + suffix] = set()
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_of_the_server_is_shown(described: dict[str, set[str]]) -> None:
    shown = {name for panel in PANELS for target in panel["targets"] for name in _METRIC.findall(target["expr"])}
    families = {re.sub("_(total|bucket|sum|count)$", "", name) for name in shown}
    assert families == {
        re.sub("_(total|bucket|sum|count)$", "", name) for name in described if name.startswith("tams_")
    }


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_metrics_and_labels_that_exist(panel: dict[str, Any], described: dict[str, set[str]]) -> None:
    for target in panel["targets"]:
        [name] = _METRIC.findall(target["expr"])
        assert name in described
        asked = {
            label.strip() for group in _LABELS.findall(target["expr"]) for part in group for label in part.split(",")
        }
        without_samples = not described[name]
        assert without_samples or asked - {""} <= described[name] | ADDED_BY_PROMETHEUS | {"le"}


def test_panels_do_not_overlap() -> None:
    taken = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24
        taken |= cells
