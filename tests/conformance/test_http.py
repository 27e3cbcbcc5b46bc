"""HTTP rules for every response: no body after HEAD, Allow with 405, unknown parameters and paths."""

import re

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.operations import fill_path, methods, paths
from tests.conformance.kit.raw_http import raw_request
from tests.conformance.kit.server import Subject

CHANGING = ("PUT", "POST", "PATCH", "DELETE")
UNLISTED = [(method, path) for path in paths() for method in CHANGING if method not in methods(path)]
VALUES = dict.fromkeys(("flowId", "sourceId", "objectId", "profileId", "webhookId", "request-id", "name"), "kit")


@pytest.mark.behaviour("SVC-GEN-01", "GEN-07", "ROOT-02", "SVC-HEAD-01", "SB-HEAD-01")
@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/service", 200), ("/service/storage-backends", 200), ("/flows?limit=many", 400), ("/flows/x", 404)],
)
def test_a_response_to_head_has_no_body(subject: Subject, path: str, status: int) -> None:
    head, rest = raw_request(subject.url + path, "HEAD", subject.credential)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert rest == b""


@pytest.mark.behaviour("SVC-GEN-01", "AUTH-05")
def test_an_unauthorised_response_to_head_has_no_body(subject: Subject) -> None:
    if not subject.token:
        pytest.skip("no token was given for this server, which may require none")
    head, rest = raw_request(f"{subject.url}/service", "HEAD", {})
    assert head.startswith(b"HTTP/1.1 401 ")
    assert rest == b""


@pytest.mark.behaviour("SVC-GEN-06", "GEN-09", "A01", "PROF-IMM-01")
@pytest.mark.parametrize(("method", "path"), UNLISTED)
def test_a_405_lists_the_allowed_methods(http: httpx.Client, method: str, path: str) -> None:
    response = http.request(method, fill_path(path, VALUES))
    if response.status_code == 405:
        allowed = _allowed(response)
        assert methods(path) <= allowed
        assert method not in allowed
    elif response.status_code not in (404, 501):
        # An addition of the server, which it must declare.
        assert method in _allowed(http.options(fill_path(path, VALUES)))


def _allowed(response: httpx.Response) -> set[str]:
    return set(re.split(r"\s*,\s*", response.headers["Allow"]))


@pytest.mark.behaviour("SVC-GEN-08", "A64")
@pytest.mark.parametrize("path", ["/", "/service", "/service/storage-backends", "/service/profiles"])
def test_an_unknown_parameter_is_ignored(tams: TamsClient, path: str) -> None:
    response = tams.get(path, **{"colour": "blue", "x.y": "1"})
    assert response.status_code == 200
    assert response.json() == tams.get(path).json()


@pytest.mark.behaviour("A01")
@pytest.mark.parametrize(
    "path", ["/nothing", "/service/nothing", "/flows/", "/service/", "/x/2f6d2f1e-6c3a-4b52-9a58-0c7c1c7f5b11"]
)
def test_an_unknown_path_is_not_found(http: httpx.Client, path: str) -> None:
    status = http.get(path, follow_redirects=False).status_code
    # A trailing slash may be ignored or redirected.
    assert status == 404 or (path.endswith("/") and status in (200, 301, 302, 307, 308))
