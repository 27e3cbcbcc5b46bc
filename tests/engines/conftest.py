"""Fixtures: the engines that the suite runs on."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.media.s3 import S3Store
from storage.tables import open_engine
from storage.tables.engine import Engine
from tests.engines.object_stores import s3_store
from tests.servers.postgres import PostgresServer, shared_postgres
from tests.servers.seaweed import SeaweedServer, shared_server
from tests.vast_emulator import Emulator

_TEMPLATE = "tams_template"


def _make_template(server: PostgresServer) -> None:
    engine = open_engine(server.url(server.new_database(name=_TEMPLATE)))
    engine.create()
    engine.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server that all tests of a run share."""
    with shared_postgres(tmp_path_factory, _make_template) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a database for this test alone, with the tables created."""
    name = postgres.new_database(_TEMPLATE)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def new_postgres_url(postgres: PostgresServer) -> Iterator[Callable[[], str]]:
    """Creates databases without tables, which last until the end of the test."""
    made = []

    def make() -> str:
        made.append(postgres.new_database())
        return postgres.url(made[-1])

    yield make
    for name in made:
        postgres.drop_database(name)


@pytest.fixture
def open_postgres(postgres_url: str) -> Iterator[Callable[[str], Engine]]:
    """Opens the database of the test with further parameters in its URL."""
    engines = []

    def open_(parameters: str = "") -> Engine:
        engines.append(open_engine(f"{postgres_url}?{parameters}"))
        return engines[-1]

    yield open_
    for engine in engines:
        engine.close()


@pytest.fixture
def plain_url(postgres: PostgresServer, new_postgres_url: Callable[[], str]) -> Iterator[str]:
    """The URL of an empty database for a role that may create tables, but no extensions."""
    name = new_postgres_url().rpartition("/")[2]
    role = f"plain_{name}"
    with postgres.connect(name) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        connection.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
        yield postgres.url(name, role, "secret")
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


@pytest.fixture(params=["statement", "commit"])
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """A cluster for this test alone, for each way in which it may report conflicts."""
    emulator = Emulator(request.param)
    yield emulator
    emulator.close()


_VAST_SCHEMAS = itertools.count()


@pytest.fixture(scope="session")
def vast_emulators() -> Iterator[dict[str, Emulator]]:
    """An emulated VAST cluster for each way in which a real one may report conflicts."""
    emulators = {"vast-statement": Emulator("statement"), "vast-commit": Emulator("commit")}
    yield emulators
    for emulator in emulators.values():
        emulator.close()


@pytest.fixture
def new_vast_url(vast_emulators: dict[str, Emulator]) -> Callable[[str], str]:
    """Returns the URL of a new schema on the named cluster."""
    return lambda kind: vast_emulators[kind].url(f"s{next(_VAST_SCHEMAS)}")


ENGINES = ["sqlite", "postgresql", "vast-statement", "vast-commit"]


@pytest.fixture(params=ENGINES)
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Creates databases of one kind, without tables, and returns their URLs."""
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        return make
    if request.param.startswith("vast-"):
        make_schema: Callable[[str], str] = request.getfixturevalue("new_vast_url")
        return lambda: make_schema(request.param)
    if request.param == "sqlite":
        number = itertools.count()
        return lambda: f"sqlite:///{tmp_path / f'new-{next(number)}.sqlite'}"
    raise _unknown(request.param)


@pytest.fixture(params=ENGINES)
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    if request.param.startswith("vast-"):
        make_schema: Callable[[str], str] = request.getfixturevalue("new_vast_url")
        return make_schema(request.param)
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    raise _unknown(request.param)


def _unknown(kind: str) -> LookupError:
    return LookupError(f"{kind!r} is in ENGINES, but new_url or engine_url has no branch for it")


@pytest.fixture
def engine(engine_url: str) -> Iterator[Engine]:
    """An engine with empty tables."""
    engine = open_engine(engine_url)
    engine.create()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def server() -> SeaweedServer:
    """The S3 server that all tests of a run share."""
    return shared_server()


@pytest.fixture
def store(server: SeaweedServer) -> S3Store:
    """An empty S3 store. Modules that run on every kind of store have a fixture of their own."""
    return s3_store(server)
