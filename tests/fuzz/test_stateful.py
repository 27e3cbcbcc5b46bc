"""Sequences of operations, each fed with what another answered: what was made is there, what was deleted is not."""

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

from tests.fuzz.aim import aim
from tests.fuzz.fuzzed import EXAMPLES, SEED, fuzzed_schema
from tests.fuzz.fuzzer import Fuzzer
from tests.fuzz.links import linked

APART = ["/", "/service", "/service/storage-backends"]
"""Paths that lead nowhere: what they answer is of no use to another operation."""

SETTINGS = hypothesis.settings(
    max_examples=10,
    stateful_step_count=10,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


class Sequences:
    """failures: found so far, since what hypothesis raises depends on whether it meets them again."""

    def __init__(self, fuzz: Fuzzer) -> None:
        self.failures: list[FailureGroup] = []
        self.begun = 0
        self._fuzz = fuzz
        self._machine = self._make_machine()

    def run(self, seed: int) -> None:
        """Some sequences. They end early where hypothesis sees that the server remembers those before."""
        with suppress(Flaky, FailureGroup):
            hypothesis.seed(seed)(self._machine).run(settings=SETTINGS)

    def _make_machine(self) -> Any:
        schema = fuzzed_schema(change=linked).exclude(path=APART).exclude(method="HEAD")
        sequences, fuzz = self, self._fuzz

        class Machine(schema.as_state_machine()):  # type: ignore[misc]
            def setup(self) -> None:
                sequences.begun += 1
                self.seen = ""
                fuzz.world.restore()

            def before_call(self, case: Case) -> None:
                """Leave alone what this sequence met before: it came over a link."""
                met = any(unquote(str(value)) in self.seen for value in case.path_parameters.values())
                aim(case, fuzz.world, path=not met)

            def call(self, case: Case, **kwargs: Any) -> Response:
                response = fuzz.send(case)
                self.seen += f"{unquote(case.formatted_path)} {response.text}"
                return response

            def validate_response(self, response: Response, case: Case, **kwargs: Any) -> None:
                try:
                    fuzz.judge(case, response, self.recorder)
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
        if sequences.begun >= EXAMPLES:
            break
