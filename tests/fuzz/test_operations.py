"""Every operation, with examples, edge cases and random cases of its schemas, both valid and invalid."""

from typing import Any

import pytest
from schemathesis.generation.case import Case

from tests.fuzz.fuzzed_schema import fuzzed_schema
from tests.fuzz.fuzzer import TIMEOUT_S, Fuzzer

SCHEMA = fuzzed_schema()

pytestmark = pytest.mark.timeout(TIMEOUT_S)


@SCHEMA.parametrize()
def test_every_response_matches_the_specification(case: Case[Any], productive_fuzz: Fuzzer) -> None:
    productive_fuzz.send_and_check(case)
