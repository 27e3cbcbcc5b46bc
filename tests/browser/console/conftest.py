"""Servers that several modules share, since starting and filling one takes seconds. Tests remove what they add."""

from collections.abc import Iterator

import pytest

from tests.api.in_process import Running, serving
from tests.browser.console.catalogue_site import Catalogue, catalogue_site
from tests.browser.console.operator_site import Site, operator_site


@pytest.fixture(scope="package")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """A server with some hundred flows. Their number is known: a test that adds one deletes it."""
    with catalogue_site(tmp_path_factory.mktemp("catalogue")) as site:
        yield site


@pytest.fixture(scope="module")
def operators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with something on every page for operators. Its bytes are counted, and a deletion leaves some."""
    with operator_site(tmp_path_factory.mktemp("operators")) as site:
        yield site


@pytest.fixture(scope="package")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server without a worker, for sources and flows that tests make. More than two segments take one to delete."""
    with serving(tmp_path_factory.mktemp("editable"), async_deletion_threshold=2) as running:
        yield running
