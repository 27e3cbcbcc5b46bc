"""The house rules for imports: tams_server -> handlers -> storage, and one way between the rooms of each."""

import ast
import configparser
from graphlib import TopologicalSorter
from itertools import permutations
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("tams_server", "handlers", "storage")
STORAGE_PARTS = ("storage.tables", "storage.media", "storage.timerange")

APPLICATION_ROOMS = {
    "cli": {
        "auth",
        "addresses",
        "app",
        "audit_log",
        "client",
        "errors",
        "logs",
        "metrics",
        "processes",
        "replication",
        "settings",
        "specification",
        "version",
        "wiring",
    },
    "client": set[str](),
    "client_media": {"client"},
    "client_cli": {"client", "client_media", "logs", "replication", "version"},
    "replication": {"client"},
    "processes": {
        "addresses",
        "app",
        "cores",
        "error_codes",
        "errors",
        "http",
        "metrics",
        "outbound",
        "settings",
        "specification",
        "tracing",
        "version",
        "wiring",
    },
    "auth": {"addresses", "error_codes", "errors", "quotas", "settings", "specification"},
    "settings": {"addresses"},
    "quotas": {"error_codes", "errors", "settings"},
    "http": {
        "addresses",
        "audit_log",
        "auth",
        "error_codes",
        "errors",
        "logs",
        "metrics",
        "quotas",
        "settings",
        "specification",
        "tracing",
        "version",
        "wiring",
    },
    "media": {"error_codes", "errors", "http", "quotas"},
    "pages": {"deadline", "error_codes", "errors", "http", "metrics", "specification"},
    "console": {"error_codes", "errors", "http", "pages", "settings", "storage_backends_file"},
    "metrics": {"deadline"},
    "outbound": set[str](),
    "specification": set[str](),
    "tracing": {"settings", "version"},
}
"""The other rooms and modules of tams_server that each room may import."""
CATALOG_ROOMS = {
    "access": set[str](),
    "flows": set[str](),
    "objects": {"flows"},
    "segments": {"flows", "objects"},
    "webhooks": {"objects"},
    "check": {"flows", "objects", "segments"},
    "backup": set[str](),
    "deleted": {"flows", "segments"},
    "retention": {"flows", "segments"},
    "playback": {"flows", "objects", "segments"},
    "thumbnails": {"flows", "objects", "segments"},
    "timeline": {"flows"},
}
"""The other rooms of storage.catalog that each room may import, besides the modules at the root."""
CATALOG_BASE = {"access"}
"""Those that all of storage.catalog may import, as it may the modules at the root."""
CATALOG_TOP = {"storage.catalog", "storage.catalog.job_control"}
"""The modules of storage.catalog that put its rooms together: rooms and other modules may not import them."""
TABLE_ACCESS = {
    "tams_server.wiring": {"storage.tables", "storage.tables.engine", "storage.tables.import_marker"},
    "tams_server.cli.catalog_access": {"storage.tables.engine"},
    "tams_server.tracing.traced_engine": {"storage.tables.engine", "storage.tables.transaction"},
    "tams_server.cli.tables_command": {
        "storage.tables.engine",
        "storage.tables.schema",
        "storage.tables.transfer",
        "storage.tables.vast",
        "storage.tables.vast.probe",
        "storage.tables.vast.projections",
    },
}
"""The modules outside storage that may import storage.tables, to open an engine or to move whole tables."""
ENGINES = ("storage.tables.sqlite", "storage.tables.postgresql", "storage.tables.vast")
FILE_STORE = ("storage.media.filesystem", "storage.media.object_file")
TRANSACTIONS = {"read", "read_once", "read_under", "write"}
"""Methods of Engine that open a transaction."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*LAYERS)


def modules_of(graph: grimp.ImportGraph, package: str) -> set[str]:
    return {package, *graph.find_descendants(package)}


def imports(graph: grimp.ImportGraph, importer: str, imported: str) -> list[str]:
    """List the direct imports of `imported`, or a module in it, by `importer` or a module in it."""
    targets = modules_of(graph, imported)
    return [
        f"{module} imports {other}"
        for module in sorted(modules_of(graph, importer))
        for other in sorted(graph.find_modules_directly_imported_by(module) & targets)
    ]


@pytest.mark.parametrize(("lower", "upper"), [(LAYERS[i], LAYERS[j]) for i in range(3) for j in range(i)])
def test_no_layer_imports_a_higher_one(graph: grimp.ImportGraph, lower: str, upper: str) -> None:
    assert imports(graph, lower, upper) == []


@pytest.mark.parametrize("part", STORAGE_PARTS)
def test_tables_media_and_timerange_do_not_import_the_catalogue(graph: grimp.ImportGraph, part: str) -> None:
    assert imports(graph, part, "storage.catalog") == []


@pytest.mark.parametrize(("part", "other"), list(permutations(STORAGE_PARTS, 2)))
def test_tables_media_and_timerange_do_not_import_each_other(graph: grimp.ImportGraph, part: str, other: str) -> None:
    assert imports(graph, part, other) == []


@pytest.mark.parametrize(("engine", "other"), list(permutations(ENGINES, 2)))
def test_engines_do_not_import_each_other(graph: grimp.ImportGraph, engine: str, other: str) -> None:
    assert imports(graph, engine, other) == []


def test_stores_do_not_import_each_other(graph: grimp.ImportGraph) -> None:
    s3 = [module for module in graph.find_descendants("storage.media") if module.startswith("storage.media.s3")]
    assert s3
    for module in s3:
        for file_module in FILE_STORE:
            assert imports(graph, module, file_module) + imports(graph, file_module, module) == []


def test_the_vast_engine_has_no_code_for_webhooks_or_events() -> None:
    sources = {file.name: file.read_text() for file in (ROOT / "storage/tables/vast").rglob("*.py")}
    assert [name for name, source in sources.items() if "webhook" in source or '"events"' in source] == []


@pytest.mark.parametrize("room", CATALOG_ROOMS)
def test_rooms_of_the_catalogue_import_one_way(graph: grimp.ImportGraph, room: str) -> None:
    forbidden = set(CATALOG_ROOMS) - CATALOG_BASE - CATALOG_ROOMS[room] - {room}
    found = [
        line for other in forbidden for line in imports(graph, f"storage.catalog.{room}", f"storage.catalog.{other}")
    ]
    assert found == []


def test_modules_at_the_root_of_the_catalogue_import_no_room(graph: grimp.ImportGraph) -> None:
    rooms = {f"storage.catalog.{room}" for room in CATALOG_ROOMS.keys() - CATALOG_BASE}
    root = graph.find_children("storage.catalog") - rooms - CATALOG_TOP
    assert [line for module in root for room in rooms for line in imports(graph, module, room)] == []


def test_only_the_application_imports_the_top_of_the_catalogue(graph: grimp.ImportGraph) -> None:
    for module in graph.find_descendants("storage.catalog"):
        assert graph.find_modules_directly_imported_by(module) & CATALOG_TOP == set(), module


def test_what_lies_side_by_side_is_imported_one_way(graph: grimp.ImportGraph) -> None:
    """The modules and packages of any one package have an order in which each imports only those before it."""
    for package in sorted(graph.modules):
        part_of = {module: child for child in graph.find_children(package) for module in modules_of(graph, child)}
        needed: dict[str, set[str]] = {child: set() for child in part_of.values()}
        for module, child in part_of.items():
            imported = graph.find_modules_directly_imported_by(module) & part_of.keys()
            needed[child] |= {part_of[other] for other in imported} - {child}
        TopologicalSorter(needed).prepare()


@pytest.mark.parametrize("room", APPLICATION_ROOMS)
def test_rooms_of_the_application_import_one_way(graph: grimp.ImportGraph, room: str) -> None:
    others = {module.rpartition(".")[2] for module in graph.find_children("tams_server")} - {room}
    forbidden = others - APPLICATION_ROOMS[room]
    found = [line for other in forbidden for line in imports(graph, f"tams_server.{room}", f"tams_server.{other}")]
    assert found == []


def test_every_room_has_a_rule(graph: grimp.ImportGraph) -> None:
    for package, rules in (("tams_server", APPLICATION_ROOMS), ("storage.catalog", CATALOG_ROOMS)):
        children = graph.find_children(package)
        rooms = {child.rpartition(".")[2] for child in children if graph.find_descendants(child)}
        assert rooms == set(rules)


def test_only_wiring_and_the_table_commands_import_tables(graph: grimp.ImportGraph) -> None:
    tables = modules_of(graph, "storage.tables")
    for layer in ("tams_server", "handlers"):
        for module in modules_of(graph, layer):
            allowed = TABLE_ACCESS.get(module, set())
            assert graph.find_modules_directly_imported_by(module) & tables <= allowed, module


@pytest.mark.parametrize("layer", ["tams_server", "handlers"])
def test_no_transaction_is_opened_outside_storage(layer: str) -> None:
    opened = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in (ROOT / layer).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in TRANSACTIONS and name_of(node.value).endswith("engine")
    ]
    assert opened == []


def name_of(node: ast.expr) -> str:
    """Return the last name of an expression such as `parts.engine`, or "" for any other expression."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("library", ["flask", "connexion", "starlette", "uvicorn", "gunicorn"])
def test_only_the_application_imports_http_libraries(library: str) -> None:
    graph = grimp.build_graph(*LAYERS, include_external_packages=True)
    importers = graph.find_modules_that_directly_import(library) if library in graph.modules else set()
    assert {module.partition(".")[0] for module in importers} <= {"tams_server"}


@pytest.mark.parametrize(
    ("library", "modules"),
    [
        (
            "sqlalchemy",
            (
                "sql",
                "sqlite",
                "sqlite_indexes",
                "postgresql",
                "postgresql_damage",
                "postgresql_transaction",
                "database_url",
                "overlap_constraint",
                "migrations",
            ),
        ),
        ("alembic", ("migrations",)),
        ("psycopg", ("postgresql",)),
        ("vastdb", ("vast",)),
    ],
)
def test_only_their_engines_import_database_libraries(library: str, modules: tuple[str, ...]) -> None:
    graph = grimp.build_graph(*LAYERS, include_external_packages=True)
    importers = graph.find_modules_that_directly_import(library) if library in graph.modules else set()
    assert {".".join(name.split(".")[:3]) for name in importers} <= {f"storage.tables.{module}" for module in modules}


def test_every_package_is_shipped() -> None:
    configured = configparser.ConfigParser()
    configured.read(ROOT / "setup.cfg")
    shipped = set(configured["options"]["packages"].split()) - {"tams_server.api"}
    files = (file.relative_to(ROOT) for layer in LAYERS for file in (ROOT / layer).rglob("*.py"))
    sources_of_the_console = Path("tams_server/console/web")
    found = {".".join(file.parent.parts) for file in files if not file.is_relative_to(sources_of_the_console)}
    assert found == shipped
