"""The tests of test_operations.py for a server that runs from the published specification."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from schemathesis.generation.case import Case

from tests.conformance.kit.server import Subject
from tests.fuzz.checked_server import checked_server
from tests.fuzz.fuzzed_schema import fuzzed_schema
from tests.fuzz.fuzzer import SETTINGS, TIMEOUT_S, Fuzzer

DEFAULT_FOLDER = Path(__file__).parents[3] / "shared" / "spec" / "upstream"
PUBLISHED = Path(os.environ.get("TAMS_UPSTREAM_DIR") or DEFAULT_FOLDER)
"""The folder api/ of the published specification (github.com/bbc/tams), in version 8.2."""


pytestmark = pytest.mark.timeout(TIMEOUT_S)


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with checked_server(tmp_path_factory.mktemp("published"), {**SETTINGS, "TAMS_API_DIR": str(PUBLISHED)}) as subject:
        yield subject


if PUBLISHED.is_dir():

    @fuzzed_schema(PUBLISHED).parametrize()
    def test_every_response_matches_the_published_specification(case: Case[Any], productive_fuzz: Fuzzer) -> None:
        productive_fuzz.send_and_check(case)

else:

    def test_every_response_matches_the_published_specification() -> None:
        pytest.skip(
            "no published copy; to test one: TAMS_UPSTREAM_DIR=<its api folder> pytest tests/fuzz/test_published.py"
        )
