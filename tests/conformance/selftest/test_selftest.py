"""Each fault of the server is detected by the tests of the behaviours it breaks; without it they pass."""

from collections.abc import Iterator

import pytest

from tests.conformance.kit.report.behaviours import behaviours
from tests.conformance.selftest.faults import FAULTS, Fault
from tests.conformance.selftest.kit_runner import Outcome, run_kit
from tests.conformance.selftest.subject import FaultySubject, faulty_server


@pytest.fixture(scope="module", autouse=True)
def own_server_only(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--tams-url"):
        pytest.skip("tests the kit itself, on its own faulty server")


@pytest.fixture(scope="module")
def faulty(own_server_only: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultySubject]:
    with faulty_server(tmp_path_factory.mktemp("faulty")) as subject:
        yield subject


@pytest.fixture(scope="module")
def sound(faulty: FaultySubject) -> dict[tuple[str, ...], list[Outcome]]:
    """Outcomes of tests without any fault, shared by several faults."""
    return {}


def name_of(fault: Fault) -> str:
    return fault.name


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_a_fault_is_detected(
    faulty: FaultySubject,
    sound: dict[tuple[str, ...], list[Outcome]],
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    if fault.tests not in sound:
        with faulty.having(None) as subject:
            sound[fault.tests] = run_kit(subject, fault.tests)
    assert sound[fault.tests]
    assert all(outcome.passed for outcome in sound[fault.tests]), sound[fault.tests]
    with faulty.having(fault) as subject:
        outcomes = run_kit(subject, fault.tests)
    found = {id_ for outcome in outcomes if outcome.found for id_ in outcome.behaviours}
    assert fault.behaviours <= found, outcomes


def test_faults_have_unique_names_and_break_known_behaviours() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert {id_ for fault in FAULTS for id_ in fault.behaviours} <= behaviours().keys()
