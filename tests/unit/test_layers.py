"""Imports run one way: tams_server -> handlers -> storage; in storage, catalog -> tables, media, timerange."""

import configparser
from itertools import permutations
from pathlib import Path

import grimp
import pytest

LAYERS = ("tams_server", "handlers", "storage")
PARTS = ("storage.tables", "storage.media", "storage.timerange")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*LAYERS)


def imports(graph: grimp.ImportGraph, importer: str, imported: str) -> list[str]:
    """Modules of `importer` with a module of `imported` that they import directly."""
    return [
        f"{module} imports {other}"
        for module in {importer, *graph.find_descendants(importer)}
        for other in graph.find_modules_directly_imported_by(module)
        if other == imported or other.startswith(f"{imported}.")
    ]


@pytest.mark.parametrize(("lower", "upper"), [(LAYERS[i], LAYERS[j]) for i in range(3) for j in range(i)])
def test_no_layer_knows_the_one_above(graph: grimp.ImportGraph, lower: str, upper: str) -> None:
    assert imports(graph, lower, upper) == []


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_storage_do_not_know_the_catalogue(graph: grimp.ImportGraph, part: str) -> None:
    assert imports(graph, part, "storage.catalog") == []


@pytest.mark.parametrize(("part", "other"), list(permutations(PARTS, 2)))
def test_parts_of_storage_do_not_know_each_other(graph: grimp.ImportGraph, part: str, other: str) -> None:
    assert imports(graph, part, other) == []


@pytest.mark.parametrize("library", ["flask", "connexion", "starlette", "uvicorn", "gunicorn"])
def test_only_the_application_knows_http(library: str) -> None:
    graph = grimp.build_graph(*LAYERS, include_external_packages=True)
    importers = graph.find_modules_that_directly_import(library) if library in graph.modules else set()
    assert {module.partition(".")[0] for module in importers} <= {"tams_server"}


@pytest.mark.parametrize(
    ("library", "modules"),
    [
        ("sqlalchemy", ("sql", "sqlite", "postgresql", "migrations")),
        ("alembic", ("migrations",)),
        ("psycopg", ("postgresql",)),
    ],
)
def test_only_the_engines_know_databases(library: str, modules: tuple[str, ...]) -> None:
    graph = grimp.build_graph(*LAYERS, include_external_packages=True)
    importers = graph.find_modules_that_directly_import(library) if library in graph.modules else set()
    assert {".".join(name.split(".")[:3]) for name in importers} <= {f"storage.tables.{module}" for module in modules}


def test_every_package_is_shipped() -> None:
    root = Path(__file__).parents[2]
    configured = configparser.ConfigParser()
    configured.read(root / "setup.cfg")
    shipped = set(configured["options"]["packages"].split()) - {"tams_server.api"}
    found = {".".join(file.parent.relative_to(root).parts) for layer in LAYERS for file in (root / layer).rglob("*.py")}
    assert found == shipped
