"""Sequences of operations with inputs from earlier responses: created resources exist, deleted ones do not."""

from contextlib import suppress
from itertools import count
from typing import Any
from urllib.parse import unquote

import hypothesis
import pytest
from hypothesis.errors import Flaky
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case

from tests.fuzz.fuzzed_schema import EXAMPLES, SEED, fuzzed_schema
from tests.fuzz.fuzzer import Fuzzer
from tests.fuzz.operation_links import with_links
from tests.fuzz.targeting import target_existing_resources

EXCLUDED_PATHS = ["/", "/service", "/service/storage-backends"]
"""Paths whose responses are not inputs of other operations."""

SETTINGS = hypothesis.settings(
    max_examples=10,
    stateful_step_count=10,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


class Sequences:
    """Runs sequences. failures: found so far; what hypothesis raises depends on whether it can reproduce them."""

    def __init__(self, fuzz: Fuzzer) -> None:
        self.failures: list[FailureGroup] = []
        self.started = 0
        self._fuzz = fuzz
        self._machine = self._make_machine()

    def run(self, seed: int) -> None:
        """Run some sequences. They end early if hypothesis notices that the server keeps state between them."""
        with suppress(Flaky, FailureGroup):
            hypothesis.seed(seed)(self._machine).run(settings=SETTINGS)

    def _make_machine(self) -> Any:
        schema = fuzzed_schema(change=with_links).exclude(path=EXCLUDED_PATHS).exclude(method="HEAD")
        sequences, fuzz = self, self._fuzz

        class Machine(schema.as_state_machine()):  # type: ignore[misc]
            def setup(self) -> None:
                sequences.started += 1
                self.seen = ""
                fuzz.resources.restore()

            def before_call(self, case: Case[Any]) -> None:
                """Keep path parameters that occurred earlier in this sequence: they came over a link."""
                seen_before = any(unquote(str(value)) in self.seen for value in case.path_parameters.values())
                target_existing_resources(case, fuzz.resources, path=not seen_before)

            def call(self, case: Case[Any], **kwargs: Any) -> Response:
                response = fuzz.send(case)
                self.seen += f"{unquote(case.formatted_path)} {response.text}"
                return response

            def validate_response(self, response: Response, case: Case[Any], **kwargs: Any) -> None:
                try:
                    fuzz.check(case, response, self.recorder)
                except FailureGroup as failure:
                    sequences.failures.append(failure)
                    raise

        return Machine


@pytest.mark.timeout(0)
def test_sequences_of_operations_match_the_specification(fuzz: Fuzzer) -> None:
    sequences = Sequences(fuzz)
    for seed in count(SEED or 0):
        sequences.run(seed)
        if sequences.failures:
            raise sequences.failures[0]
        if sequences.started >= EXAMPLES:
            break
