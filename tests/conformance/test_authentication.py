"""Credentials: the three ways to present one, and rejection without one (AUTH-*)."""

from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.exchange_log import EXCHANGE_LOG
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.instances import read_view
from tests.conformance.kit.operations import Operation, operations
from tests.conformance.kit.segments import register_segment
from tests.conformance.kit.server import Subject

EVERYWHERE = pytest.mark.parametrize("operation", operations(), ids=str)
CONTENT = b"some media"


@pytest.fixture
def token(subject: Subject) -> str:
    if not subject.token:
        pytest.skip("no token was given for this server, which may require none")
    return subject.token


@pytest.fixture
def anonymous(subject: Subject, token: str) -> Iterator[httpx.Client]:
    """A client without any credential."""
    with httpx.Client(base_url=subject.url, timeout=30, event_hooks={"response": [EXCHANGE_LOG.record]}) as client:
        yield client


def missing_url(operation: Operation) -> str:
    """The URL of an operation on resources that do not exist."""
    names = ("flowId", "sourceId", "objectId", "profileId", "webhookId", "request-id", "name")
    return operation.url({name: fresh() for name in names})


def basic(text: bytes) -> str:
    return f"Basic {b64encode(text).decode()}"


@pytest.mark.behaviour("AUTH-01", "AUTH-05", "ROOT-03", "AMB-03", "AMB-24", "A01")
@EVERYWHERE
def test_requests_without_a_credential_are_rejected(anonymous: httpx.Client, operation: Operation) -> None:
    response = anonymous.request(operation.method, missing_url(operation))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"]
    assert response.content == b"" or operation.method != "HEAD"


@pytest.mark.behaviour("AUTH-01", "AUTH-02")
@EVERYWHERE
def test_a_bearer_token_is_accepted(anonymous: httpx.Client, token: str, operation: Operation) -> None:
    response = anonymous.request(operation.method, missing_url(operation), headers={"Authorization": f"Bearer {token}"})
    assert response.status_code != 401
    assert response.status_code < 500


@pytest.mark.behaviour("AUTH-01", "AUTH-03", "A64")
@EVERYWHERE
def test_a_token_in_the_url_is_accepted(anonymous: httpx.Client, token: str, operation: Operation) -> None:
    response = anonymous.request(operation.method, missing_url(operation), params={"access_token": token})
    assert response.status_code != 401
    assert response.status_code < 500


@pytest.mark.behaviour("AUTH-03")
def test_a_token_in_the_url_works_beside_other_parameters(
    tams: TamsClient, anonymous: httpx.Client, token: str
) -> None:
    made = tams.make_flow()
    params = {"source_id": made["source_id"], "access_token": token, "limit": "5"}
    assert [flow["id"] for flow in anonymous.get("/flows", params=params).json()] == [made["id"]]


@pytest.mark.behaviour("AUTH-04")
def test_a_user_name_and_password_are_accepted(subject: Subject) -> None:
    if not subject.basic:
        pytest.skip("no user name and password were given for this server")
    right = subject.basic.encode()
    with httpx.Client(base_url=subject.url, timeout=30) as client:
        responses = [client.get("/service", headers={"Authorization": basic(text)}) for text in (right, right + b"x")]
    assert [response.status_code for response in responses] == [200, 401]


@pytest.mark.behaviour("AUTH-09")
@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_name_of_the_scheme_is_case_insensitive(anonymous: httpx.Client, token: str, scheme: str) -> None:
    assert anonymous.get("/service", headers={"Authorization": f"{scheme} {token}"}).status_code == 200


@pytest.mark.behaviour("AUTH-05", "AUTH-06")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "authorization", ["Bearer of-nothing", basic(b"nobody:password"), basic(b"nobody:"), "Digest username=nobody"]
)
def test_a_wrong_credential_is_rejected(anonymous: httpx.Client, method: str, authorization: str) -> None:
    response = anonymous.request(method, "/service", headers={"Authorization": authorization})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"]


@pytest.mark.behaviour("AUTH-05")
@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Basic", "Basic !!!!", basic(b"no colon"), basic(b"\xff\xfe:\xff"), "", "nonsense"],
)
def test_a_malformed_credential_is_rejected(anonymous: httpx.Client, authorization: str) -> None:
    assert anonymous.get("/service", headers={"Authorization": authorization}).status_code in (400, 401)


@pytest.mark.behaviour("AUTH-03", "AUTH-05")
@pytest.mark.parametrize("wrong", ["", "of-nothing", "%", "\u2603", "a\x00b"])
def test_a_wrong_token_in_the_url_is_rejected(anonymous: httpx.Client, wrong: str) -> None:
    assert anonymous.get("/service", params={"access_token": wrong}).status_code in (400, 401)


@pytest.mark.behaviour("AUTH-05")
@pytest.mark.parametrize("alter", [lambda t: t[:-1], lambda t: t + "x", str.swapcase, lambda t: f"{t} {t}"])
def test_a_part_of_a_token_is_rejected(anonymous: httpx.Client, token: str, alter: object) -> None:
    assert callable(alter)
    altered = alter(token)
    assert altered != token
    assert anonymous.get("/service", headers={"Authorization": f"Bearer {altered}"}).status_code in (400, 401)


@pytest.mark.behaviour("AUTH-07")
def test_a_valid_token_in_the_url_does_not_override_a_bad_header(anonymous: httpx.Client, token: str) -> None:
    headers = {"Authorization": "Bearer of-nothing"}
    assert anonymous.get("/service", headers=headers, params={"access_token": token}).status_code in (400, 401)


@pytest.mark.behaviour("AUTH-07")
def test_two_tokens_are_rejected_or_the_first_is_used(anonymous: httpx.Client, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    response = anonymous.get("/service", headers=headers, params={"access_token": "of-nothing"})
    assert response.status_code in (200, 400, 401)
    assert "of-nothing" not in response.text


@pytest.mark.behaviour("AUTH-08")
def test_no_response_contains_the_token(anonymous: httpx.Client, token: str) -> None:
    for path in ("/service", "/flows?limit=many", f"/flows/{fresh()}", "/nothing/here"):
        response = anonymous.get(path, params={**dict(httpx.URL(path).params), "access_token": token})
        assert token not in response.text


@pytest.fixture
def urls(tams: TamsClient) -> list[Json]:
    """The get_urls of an object that was uploaded without credentials."""
    flow_id = tams.make_flow()["id"]
    [object_id] = tams.make_objects(flow_id, 1, CONTENT)
    register_segment(tams, flow_id, object_id=object_id)
    found: list[Json] = read_view(tams, "object", flow_id, object_id)["get_urls"]
    return found


def same_origin(url: str, subject: Subject) -> bool:
    return urlsplit(url)[:2] == urlsplit(subject.url)[:2]


@pytest.mark.behaviour("AUTH-11", "AUTH-12")
def test_media_can_be_downloaded_with_what_the_api_returns(subject: Subject, token: str, urls: list[Json]) -> None:
    reachable = [url for url in urls if url.get("presigned") or same_origin(url["url"], subject)]
    assert reachable
    for url in reachable:
        headers = {} if url.get("presigned") else {"Authorization": f"Bearer {token}"}
        response = httpx.get(url["url"], headers=headers, timeout=30)
        assert (response.status_code, response.content) == (200, CONTENT)


@pytest.mark.behaviour("AUTH-03", "AUTH-11")
def test_plain_media_urls_of_the_server_require_a_credential(subject: Subject, token: str, urls: list[Json]) -> None:
    plain = [url["url"] for url in urls if not url.get("presigned") and same_origin(url["url"], subject)]
    if not plain:
        pytest.skip("this server has no plain media URLs of its own")
    for url in plain:
        assert httpx.get(url, timeout=30).status_code == 401
        assert httpx.get(url, headers={"Authorization": "Bearer of-nothing"}, timeout=30).status_code == 401
        assert httpx.get(url, params={"access_token": token}, timeout=30).content == CONTENT
