"""What all responses have in common: HEAD, methods, CORS, problem documents, request ids, logs; and the pages."""

import logging
from datetime import datetime

import jsonschema
import pytest

from handlers.shared.call import ABSENT, Result
from storage.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from tams_server.errors import InvalidResponse
from tams_server.specification.load import Specification
from tests.unit.conftest import TOKEN, Client
from tests.unit.stub_handlers import StubHandlers

FLOW = "10000000-0000-4000-8000-000000000001"


@pytest.mark.behaviour("GEN-07", "GEN-01")
def test_head_is_get_without_a_body(client: Client, stub: StubHandlers) -> None:
    stub.result = Result(200, ["a"], {"X-Paging-Limit": "7"})
    get, head = client.get("/flows?limit=7"), client.request("HEAD", "/flows?limit=7")
    assert head.content == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == "5"
    assert head.headers["X-Paging-Limit"] == "7"
    assert [name for name, _ in stub.calls] == ["GET_flows", "GET_flows"]


def test_head_of_an_error_has_no_body(client: Client) -> None:
    response = client.request("HEAD", "/flows?limit=x")
    assert response.status_code == 400
    assert response.content == b""


def test_every_head_operation_is_served(client: Client, specification: Specification) -> None:
    for path, item in specification.document["paths"].items():
        if "head" in item:
            path = path.replace("{objectId}", "o").replace("{name}", "n").replace("{request-id}", FLOW)
            path = path.replace("{timerange}", "0:0_1:0")
            path = (
                path.replace("{view}", "flows").replace("{question}", "retention").replace("/sql", "/sql?sql=SELECT+1")
            )
            for name in ("flowId", "sourceId", "profileId", "webhookId"):
                path = path.replace(f"{{{name}}}", FLOW)
            assert client.request("HEAD", path).status_code == 200, path


@pytest.mark.behaviour("GEN-06", "GEN-09")
@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/service", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("PUT", f"/sources/{FLOW}", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("GET", f"/flows/{FLOW}/storage", {"POST", "OPTIONS"}),
        ("PATCH", f"/flows/{FLOW}", {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}),
        ("DELETE", "/flows", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("DELETE", "/objects/batch", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("POST", "/objects/other", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("POST", "/docs", {"GET", "HEAD"}),
    ],
)
def test_other_methods_are_rejected(client: Client, method: str, path: str, allow: set[str]) -> None:
    response = client.request(method, path)
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == allow


def test_options_lists_the_allowed_methods_without_credentials(client: Client) -> None:
    response = client.without_credentials("OPTIONS", f"/flows/{FLOW}")
    assert response.status_code == 204
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}
    assert client.without_credentials("OPTIONS", "/nothing").status_code == 401


@pytest.mark.parametrize("path", ["/flows", "/nothing", "/openapi.json", "/media/x/y"])
def test_preflights_need_no_credentials_on_any_path(client: Client, path: str) -> None:
    headers = {
        "Origin": "https://player.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    response = client.without_credentials("OPTIONS", path, headers=headers)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Headers"] == "authorization"
    assert "GET" in response.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("path", ["/", "/flows?limit=x", "/nothing", "/healthz"])
def test_every_response_can_be_read_by_pages_of_other_origins(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers.get_list("Access-Control-Allow-Origin") == ["*"]
    for name in ("Link", "Location", "X-Paging-NextKey", "X-Paging-Timerange"):
        assert name in headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Invalid("a: 5 must be 6", field="a", behaviour="TR-01"), 400, "request.invalid"),
        (Forbidden("no"), 403, "request.forbidden"),
        (NotFound("no"), 404, "request.not_found"),
        (Conflict("no"), 409, "request.conflict"),
        (Unavailable("no"), 503, "service.unavailable"),
        (ZeroDivisionError("secret of the server"), 500, "service.internal"),
    ],
)
def test_errors_are_problem_documents(
    client: Client, stub: StubHandlers, specification: Specification, error: Exception, status: int, code: str
) -> None:
    stub.result = error
    response = client.get("/flows?label=x")
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["code"] == code
    assert problem["instance"] == "/flows"
    assert problem["detail"] == problem["message"] == problem["summary"]
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert datetime.fromisoformat(problem["time"]).utcoffset() is not None
    assert "secret of the server" not in response.text
    schemas = specification.document["components"]["schemas"]
    jsonschema.validate(problem, schemas["error"])
    jsonschema.validate(problem, schemas["problem"])
    assert ("Retry-After" in response.headers) == (status == 503)


def test_an_error_names_field_and_behaviour(client: Client, stub: StubHandlers) -> None:
    stub.result = Invalid("a: 5 must be 6", field="a", behaviour="TR-01")
    problem = client.get("/flows").json()
    assert (problem["field"], problem["behaviour"], problem["detail"]) == ("a", "TR-01", "a: 5 must be 6")


def test_unexpected_errors_are_logged(client: Client, stub: StubHandlers, caplog: pytest.LogCaptureFixture) -> None:
    stub.result = ZeroDivisionError("what happened")
    client.get("/flows", headers={"X-Request-Id": "my-id"})
    assert any("what happened" in (record.exc_text or str(record.exc_info)) for record in caplog.records)


@pytest.mark.parametrize(("given", "kept"), [("trace-1:2/3", True), ("a b", False), ("x" * 129, False), ("é", False)])
def test_valid_request_ids_are_kept(client: Client, given: str, kept: bool) -> None:
    id_ = client.get("/flows", headers={"X-Request-Id": given.encode()}).headers["X-Request-Id"]
    assert (id_ == given) == kept
    assert id_


@pytest.mark.behaviour("AUTH-08")
def test_a_token_in_the_url_is_kept_out_of_logs_and_caches(
    client: Client, stub: StubHandlers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tams_server.access")
    url = f"/flows?limit=5&access_token={TOKEN}"
    for response in (
        client.without_credentials("GET", url),
        client.without_credentials("GET", f"{url}&label=a&label=b"),
        client.without_credentials("GET", f"/flows?acces%73_%74oken={TOKEN}"),
    ):
        assert response.headers["Cache-Control"] == "no-store"
        assert TOKEN not in response.text
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("tams_server"))
    assert TOKEN not in ours
    assert "GET /flows?limit=5 200" in ours
    assert stub.calls[0][1].target == "/flows?limit=5"


def test_secrets_that_clients_put_into_urls_are_not_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A request for a token is rejected if its query has parameters, because these would end up in logs."""
    caplog.set_level(logging.INFO, "tams_server.access")
    for target in ("/oauth2/token?client_secret=hush", "/flows?client_secret=hush", "/docs?code=hush&state=x"):
        client.without_credentials("POST" if "oauth2" in target else "GET", target)
    ours = [record.getMessage() for record in caplog.records if record.name == "tams_server.access"]
    assert len(ours) == 3
    assert "hush" not in "\n".join(ours)


def test_links_never_contain_the_token_from_the_url(client: Client, stub: StubHandlers) -> None:
    links = {"Link": '<http://tams.test/flows?page=x>; rel="next"', "Location": "http://x/y"}
    stub.result = Result(200, [], links)
    headers = client.without_credentials("GET", f"/flows?access_token={TOKEN}").headers
    assert {name: headers[name] for name in links} == links


def test_responses_without_a_body_have_no_content_type(client: Client, stub: StubHandlers) -> None:
    stub.result = Result(204)
    response = client.request("DELETE", f"/flows/{FLOW}/label")
    assert response.status_code == 204
    assert response.content == b""
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize(
    "result",
    [
        Result(299, {}),
        Result(200, {"not": "a list"}),
        Result(200, ABSENT),
        Result(200, [], {"X-Paging-Limit": "many"}),
        Result(200, [], {"X-Paging-Reverse-Order": "maybe"}),
    ],
)
def test_responses_that_violate_the_specification_are_counted_and_sent(
    client: Client, stub: StubHandlers, caplog: pytest.LogCaptureFixture, result: Result
) -> None:
    before = client.app.responses.violations
    stub.result = result
    assert client.get("/flows").status_code == result.status
    assert client.app.responses.violations == before + 1
    assert "GET_flows violates the specification" in caplog.text


def test_responses_that_violate_the_specification_fail_tests(make_client) -> None:  # type: ignore[no-untyped-def]
    client: Client = make_client(fail_on_bad_answer=True)
    client.stub.result = Result(200, {"not": "a list"})
    with pytest.raises(InvalidResponse, match="GET_flows"):
        client.get("/flows")


def test_base_url_comes_from_the_request(client: Client, stub: StubHandlers) -> None:
    client.get("/flows", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"})
    assert stub.call.base_url == "http://tams.test"
    client.get("/flows", headers={"Host": "x/y?z"})
    assert stub.call.base_url == "http://testserver:80" or "/y" not in stub.call.base_url


def test_base_url_comes_from_a_trusted_proxy(make_client) -> None:  # type: ignore[no-untyped-def]
    client: Client = make_client(trust_proxy=True)
    forwarded = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "tams.example, in",
        "X-Forwarded-Prefix": "/tams/v8.2",
    }
    client.get("/flows", headers=forwarded)
    assert client.stub.call.base_url == "https://tams.example/tams/v8.2"
    client.get("/flows", headers={"X-Forwarded-Proto": "javascript", "X-Forwarded-Host": "a b"})
    assert client.stub.call.base_url == "http://tams.test"


@pytest.mark.behaviour("VER-03")
def test_a_public_url_may_have_a_path_which_proxies_keep_or_remove(make_client) -> None:  # type: ignore[no-untyped-def]
    client: Client = make_client(public_url="https://example.com/tams/v8.2/")
    for path in ("/flows?limit=1", "/tams/v8.2/flows?limit=1"):
        assert client.get(path).status_code == 200
        assert client.stub.call.base_url == "https://example.com/tams/v8.2"
        assert client.stub.call.target == "/flows?limit=1"
    assert client.get("/tams/v8.2").status_code == 200
    assert client.get("/tams/v8.2/media/x").json()["code"] == "media.not_found"


def test_health_needs_no_credentials(client: Client) -> None:
    assert client.without_credentials("GET", "/healthz").json() == {"status": "alive"}
    assert client.without_credentials("GET", "/readyz").json() == {"status": "ready"}
    assert client.without_credentials("HEAD", "/readyz").content == b""


def test_a_server_whose_catalogue_cannot_be_written_is_not_ready(make_client, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    client: Client = make_client()
    client.get("/readyz")

    def fail(_parts: object) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr("tams_server.wiring.Parts.check_writable", fail)
    monkeypatch.setattr("tams_server.deadline._CACHED_S", -1)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_the_document_and_its_page_need_no_credentials(client: Client, specification: Specification) -> None:
    document = client.without_credentials("GET", "/openapi.json")
    assert document.json()["paths"] == specification.document["paths"]
    assert document.json()["openapi"].startswith("3.1")
    page = client.without_credentials("GET", "/docs").text
    for asset in ("docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/start.js", "docs/favicon-32x32.png"):
        assert asset in page or asset == "docs/favicon-32x32.png"
        assert client.without_credentials("GET", f"/{asset}").status_code == 200
    assert "http:" not in page
    assert "https:" not in page
    assert client.without_credentials("GET", "/docs/../setup.cfg").status_code in (401, 404)
    etag = document.headers["ETag"]
    assert client.get("/openapi.json", headers={"If-None-Match": etag}).status_code == 304
