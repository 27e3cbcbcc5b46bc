"""The same as test_operations.py, for a server that runs off the specification as it is published."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from schemathesis.generation.case import Case

from tests.conformance.kit.server import Subject
from tests.fuzz.fuzzed import fuzzed_schema
from tests.fuzz.fuzzer import SETTINGS, TIMEOUT_S, Fuzzer
from tests.fuzz.watched import watched_server

BESIDE = Path(__file__).parents[3] / "shared" / "spec" / "upstream"
PUBLISHED = Path(os.environ.get("TAMS_UPSTREAM_DIR") or BESIDE)
"""The folder api/ of the published specification (github.com/bbc/tams), in version 8.2."""


pytestmark = pytest.mark.timeout(TIMEOUT_S)


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with watched_server(tmp_path_factory.mktemp("published"), {**SETTINGS, "TAMS_API_DIR": str(PUBLISHED)}) as subject:
        yield subject


if PUBLISHED.is_dir():

    @fuzzed_schema(PUBLISHED).parametrize()
    def test_every_response_matches_the_published_specification(case: Case, searching_fuzz: Fuzzer) -> None:
        searching_fuzz.try_case(case)

else:

    def test_every_response_matches_the_published_specification() -> None:
        pytest.skip(
            "no published copy; with one: TAMS_UPSTREAM_DIR=<its api folder> pytest tests/fuzz/test_published.py"
        )
