"""A catalogue of each module of tests, with its tokens."""

from collections.abc import Iterator

import pytest

from storage.catalog.credentials import Credentials
from storage.catalog.token_keys import TokenKeys
from storage.tables import open_engine
from storage.tables.engine import Engine
from tams_server.auth.own_tokens import OwnTokens

INSTALLATION = "00000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_engine(tmp_path_factory.mktemp("tokens") / "catalog.db")
    engine.create()
    yield engine
    engine.close()


@pytest.fixture
def credentials(engine: Engine) -> Credentials:
    return Credentials(engine)


@pytest.fixture
def own(engine: Engine) -> OwnTokens:
    return OwnTokens(TokenKeys(engine), INSTALLATION, 600)
