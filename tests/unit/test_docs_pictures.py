"""The pictures of docs/pictures match their descriptions, and the architecture picture shows the real imports."""

import importlib.util
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grimp
import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
Edge = tuple[str, str]


def load_draw_script() -> Any:
    spec = importlib.util.spec_from_file_location("draw", FOLDER / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("source", sorted(FOLDER.glob("*.toml")), ids=lambda source: source.stem)
def test_committed_picture_is_what_its_description_gives(source: Path) -> None:
    drawn = load_draw_script().draw(tomllib.loads(source.read_text()))
    assert source.with_suffix(".svg").read_text() == drawn, "run: python docs/pictures/draw.py"


@pytest.mark.parametrize("source", sorted(FOLDER.glob("*.toml")), ids=lambda source: source.stem)
def test_files_in_a_picture_exist(source: Path) -> None:
    words = " ".join(line for box in tomllib.loads(source.read_text())["box"] for line in box.get("lines", ()))
    files = re.findall(r"(?:tams_server|handlers|storage)/[\w/]*(?:\.py)?", words)
    assert [file for file in files if not (FOLDER.parents[1] / file).exists()] == []


@pytest.fixture(scope="module")
def architecture() -> Any:
    return tomllib.loads((FOLDER / "architecture.toml").read_text())


def room_of(module: str, rooms: Mapping[str, str]) -> str | None:
    """The room of a module: that of the longest matching name. rooms: from module or package name to room."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((rooms[name] for name in names if name in rooms), None)


def imports_between_rooms(rooms: Mapping[str, str]) -> set[Edge]:
    graph = grimp.build_graph("tams_server", "handlers", "storage")
    homeless = {module for module in graph.modules if room_of(module, rooms) is None} - {"tams_server"}
    assert not homeless, f"put {sorted(homeless)} into a room of docs/pictures/architecture.toml"
    edges = set()
    for module in graph.modules - {"tams_server"}:
        for imported in graph.find_modules_directly_imported_by(module):
            start, end = room_of(module, rooms), room_of(imported, rooms)
            if start and end and start != end:
                edges.add((start, end))
    return edges


def paths_of(edges: set[Edge]) -> set[Edge]:
    """Every pair of rooms that is connected by one edge or several."""
    reached = set(edges)
    while True:
        longer = {(a, d) for a, b in reached for c, d in edges if b == c} - reached
        if not longer:
            return reached
        reached |= longer


def modules_of(boxes: list[dict[str, Any]]) -> Iterator[Edge]:
    for box in boxes:
        for module in box.get("modules", ()):
            yield module, box["id"]


def test_arrows_of_the_architecture_are_the_imports(architecture: Any) -> None:
    arrows = {(arrow["from"], arrow["to"]) for arrow in architecture["arrow"] if not arrow.get("dashed")}
    imports = imports_between_rooms(dict(modules_of(architecture["box"])))
    assert arrows - imports == set(), "arrows without an import"
    assert imports - paths_of(arrows) == set(), "imports that no arrow shows"
    needless = {arrow for arrow in arrows if arrow in paths_of(arrows - {arrow})}
    assert needless == set(), "arrows that a longer way makes unnecessary"
