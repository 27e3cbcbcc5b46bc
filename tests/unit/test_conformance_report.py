"""The report of the conformance kit: states of behaviours, the exchange log, the HTML page and docs/conformance.md."""

from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.exchange_log import ExchangeLog
from tests.conformance.kit.report.document import DOCUMENT, document, static_part
from tests.conformance.kit.report.page import write_page
from tests.conformance.kit.report.results import Finding, Result, findings, headline
from tests.conformance.kit.report.untested import NOT_RUN

REQUIRED, ADVICE = "GEN-01", "TR-11"


def result(behaviour: str, outcome: str, message: str = "") -> Result:
    return Result(f"test_{outcome}", outcome, [behaviour], message, (), 0.1)


def found(*results: Result) -> Finding:
    """The finding for the behaviour that the results name."""
    [finding] = [each for each in findings(results) if each.behaviour.id == results[0].behaviours[0]]
    return finding


@pytest.mark.parametrize(("behaviour", "state"), [(REQUIRED, "Fail"), (ADVICE, "Warning")])
def test_a_failure_outweighs_passes(behaviour: str, state: str) -> None:
    finding = found(result(behaviour, "passed"), result(behaviour, "failed", "200 is not 404"))
    assert (finding.state, finding.reason) == (state, "200 is not 404")


def test_a_pass_outweighs_a_skip() -> None:
    assert found(result(REQUIRED, "skipped", "no"), result(REQUIRED, "passed")).state == "Pass"


@pytest.mark.parametrize(
    ("message", "state", "reason"),
    [
        ("not implemented: webhooks", "Not Implemented", "webhooks"),
        (
            "not applicable: introduced by TAMS 8.2",
            "Could Not Test",
            "its tests also need features introduced by TAMS 8.2",
        ),
        ("no token was given", "Could Not Test", "no token was given"),
    ],
)
def test_the_reason_of_a_skip_determines_the_state(message: str, state: str, reason: str) -> None:
    finding = found(result(REQUIRED, "skipped", message))
    assert (finding.state, finding.reason) == (state, reason)


def test_behaviours_of_later_versions_are_not_applicable() -> None:
    assert found(result("SORT-01", "skipped", "not applicable: introduced by TAMS 8.2")).state == "Not Applicable"


@pytest.mark.parametrize("others", [[], ["passed", "skipped"]])
def test_a_failed_preparation_means_could_not_test(others: list[str]) -> None:
    finding = found(result(REQUIRED, "unprepared", "a flow could not be made"), *(result(REQUIRED, o) for o in others))
    assert (finding.state, finding.reason) == ("Could Not Test", "a flow could not be made")


def test_the_headline_counts_tested_behaviours() -> None:
    must = headline(findings([result("GEN-02", "passed"), result("GEN-09", "failed"), result("GEN-11", "skipped")]))[0]
    assert (must["level"], must["passed"], must["tested"]) == ("MUST", 1, 2)


def test_no_credential_is_shown() -> None:
    log = ExchangeLog()
    headers = {"Authorization": "Bearer secret", "X-Kit": "it's"}
    request = httpx.Request("PUT", "http://tams.example/x?access_token=secret&limit=1", headers=headers, json="a")
    log.record(httpx.Response(204, request=request))
    [shown] = log.summaries()
    assert "secret" not in str(shown)
    assert shown["curl"].startswith("curl -i -X PUT 'http://tams.example/x?access_token=TOKEN&limit=1' -H ")
    assert shown["curl"].endswith("""--data-binary '"a"'""")


def test_the_page_shows_a_failure_as_text(tmp_path: Path) -> None:
    exchange = {"curl": "curl -i", "status": 200, "headers": {"X-Kit": "<b>"}, "body": "<script>"}
    failed = Result("test_it[<i>]", "failed", [REQUIRED], "200 is not <404>", [exchange], 0.1)
    summary = {"api_version": "8.2", "subject": "<server>", "tests": 1, "made": "today"}
    every = findings([failed])
    path = tmp_path / "index.html"
    write_page(path, {**summary, "levels": headline(every)}, every)
    page = path.read_text(encoding="utf-8")
    assert "200 is not &lt;404&gt;" in page
    assert "&lt;script&gt;" in page
    assert not any(text in page for text in ("<script", "<b>\n", "<i>", "<server>"))


def test_the_document_counts_by_operation() -> None:
    every = findings([result("GEN-01", "passed"), result("GEN-02", "passed"), result("GEN-03", "passed")])
    states = [{"id": each.behaviour.id, "state": each.state, "reason": each.reason} for each in every]
    made = document({"levels": headline(every), "behaviours": states})
    assert "| Identifiers, bodies, methods (GEN) | 3 of 12 | GEN-01…03 | Could Not Test: " in made


def test_docs_conformance_is_up_to_date() -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    assert page.endswith(static_part())
    assert NOT_RUN not in page
