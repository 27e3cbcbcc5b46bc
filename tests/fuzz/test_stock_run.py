"""schemathesis with its own defaults reports nothing but what the published document and its text make unavoidable.

CONTRADICTIONS lists where every response is a failure: either to schemathesis, or by the text of the standard.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.kit.server import Subject
from tests.fuzz.checked_server import checked_server
from tests.fuzz.stock_run import TIMEOUT_S, stock_run
from tests.fuzz.test_published import PUBLISHED
from tests.servers.features import feature_settings

OWN = Path(__file__).parents[2] / "api"
REJECTED, UNDOCUMENTED = "ST202", "ST103"
UNDECLARED_METHOD, UNDECLARED_IN_ALLOW = "ST204", "ST205"


def get_and_head(*paths: str) -> list[str]:
    return [f"{method} {path}" for path in paths for method in ("GET", "HEAD")]


CONTRADICTIONS: dict[tuple[str, str], str] = {
    # Only 200 is documented. A query that violates the schemas is to be rejected by ST201, so that no status is left.
    **dict.fromkeys(
        ((UNDOCUMENTED, each) for each in get_and_head("/flow-delete-requests", "/service/storage-backends")),
        "A09: the schemas do not allow the query, and no status but 200 is documented",
    ),
    # 404 is documented for services that have no webhooks.
    **dict.fromkeys(
        ((UNDOCUMENTED, each) for each in get_and_head("/service/webhooks")),
        "A09: the schemas do not allow the query, and only 200 and 404 (no webhooks at all) are documented",
    ),
    # Any text is a page key by the schema.
    **dict.fromkeys(
        (
            (REJECTED, each)
            for each in get_and_head(
                "/flows", "/sources", "/flows/{flowId}/segments", "/service/profiles", "/objects/{objectId}"
            )
        ),
        "PAGE-06: a page key that was never issued is 400",
    ),
    # Methods that this server adds to published paths.
    **dict.fromkeys(
        (
            (code, f"{method} {path}")
            for code, method in ((UNDECLARED_METHOD, "POST"), (UNDECLARED_IN_ALLOW, "OPTIONS"))
            for path in ("/flows", "/sources")
        ),
        "F5: flows and sources can be created by POST, which the published document does not have",
    ),
    (UNDECLARED_IN_ALLOW, "OPTIONS /sources/{sourceId}"): "F3: sources can be deleted, with all of their flows",
    (REJECTED, "PUT /flows/{flowId}"): "FLOW-PUT-04: another id in the body than in the path is 400",
    (REJECTED, "PUT /service/webhooks/{webhookId}"): "HOOK-PUT-04: another id in the body than in the path is 400",
    (REJECTED, "POST /service/profiles/{profileId}"): "PROF-POST-02, PROF-POST-03: an id in use, or another, is 400",
    (REJECTED, "POST /service/webhooks"): "HOOK-POST-08: any text is a URL by the schema",
}

pytestmark = pytest.mark.timeout(TIMEOUT_S + 60)


@pytest.fixture
def subject(tmp_path: Path, features: str) -> Iterator[Subject]:
    settings = {"TAMS_WORKERS": "1", "TAMS_LOG_LEVEL": "WARNING", **feature_settings(features, tmp_path)}
    with checked_server(tmp_path, settings) as subject:
        yield subject


@pytest.mark.behaviour("GEN-08", "A06", "A07", "A64")
@pytest.mark.parametrize(("seed", "features"), [(1, "standard"), (3, "all")])
def test_only_contradictions_of_the_published_document_fail(subject: Subject, tmp_path: Path, seed: int) -> None:
    if not PUBLISHED.is_dir():
        pytest.skip("no published copy; to test one: TAMS_UPSTREAM_DIR=<its api folder> pytest tests/fuzz")
    failures = stock_run(PUBLISHED / "TimeAddressableMediaStore.yaml", subject, seed, tmp_path)
    assert {each: title for each, title in failures.items() if each not in CONTRADICTIONS} == {}


@pytest.mark.parametrize("features", ["all"])
def test_only_contradictions_of_the_own_document_fail(subject: Subject, tmp_path: Path) -> None:
    failures = stock_run(OWN / "TimeAddressableMediaStore.yaml", subject, 4, tmp_path)
    assert {each: title for each, title in failures.items() if each not in CONTRADICTIONS} == {}
