"""Fixtures of the tests of the consistency check."""

import pytest

from storage.catalog.check import findings
from tests.unit.catalog.check.checks import fill
from tests.unit.catalogs import World


@pytest.fixture(autouse=True)
def _many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the check read what it compares in many small pages."""
    monkeypatch.setattr(findings, "_PAGE", 3)
    monkeypatch.setattr(findings, "_BATCH", 2)


@pytest.fixture
def filled(world: World) -> str:
    """A flow with five objects, o0 to o4."""
    return fill(world)
