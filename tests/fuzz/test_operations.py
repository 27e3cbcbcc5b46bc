"""Every operation, with examples, edge cases and random cases of its schemas, right ones and wrong ones."""

import pytest
from schemathesis.generation.case import Case

from tests.fuzz.fuzzed import fuzzed_schema
from tests.fuzz.fuzzer import TIMEOUT_S, Fuzzer

SCHEMA = fuzzed_schema()

pytestmark = pytest.mark.timeout(TIMEOUT_S)


@SCHEMA.parametrize()
def test_every_response_matches_the_specification(case: Case, searching_fuzz: Fuzzer) -> None:
    searching_fuzz.try_case(case)
