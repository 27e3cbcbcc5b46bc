"""Errors word for word: status, field, message and code, in a problem document that reveals nothing else."""

import re
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from storage.error_codes.code import CODES
from tams_server.specification.document import load_document
from tams_server.specification.validators import SchemaValidators
from tests.api.in_process import TOKEN, Running, serving
from tests.conformance.kit.checker import API
from tests.conformance.kit.documents import flow
from tests.conformance.kit.ids import fresh

ID = "0d3f4c1a-6a0e-4d55-8f3c-2f9b0c5d7e1a"
BACKENDS = "/service/storage-backends"
PATTERN = r"\^\[0-9a-f\]\{8\}.* \(Identifier\)"
MAX_BODY = 4096

BAD_QUERIES = [
    (f"{BACKENDS}?limit=many", "limit", 'query parameter limit: "many" must be an integer'),
    (f"{BACKENDS}?limit=1.5", "limit", 'query parameter limit: "1.5" must be an integer'),
    (f"{BACKENDS}?limit=", "limit", 'query parameter limit: "" must be an integer'),
    (f"{BACKENDS}?limit=1&limit=2", "limit", r'query parameter "?limit"?: must be given only once'),
    (f"{BACKENDS}?reverse_order=maybe", "reverse_order", '.* reverse_order: "maybe" must be true or false'),
    (f"{BACKENDS}?tag_exists.a.b=yes", "tag_exists.a.b", '.* tag_exists.a.b: "yes" must be true or false'),
    (f"{BACKENDS}?tag.=x", "tag.", r"query parameter tag\.: tag\. must be followed by a name"),
    (f"{BACKENDS}?tag.a=x,,y", "tag.a", 'query parameter tag.a: "x,,y" must match .*'),
    ("/service/profiles?page=foreign", "page", "the page key was not issued by this listing.*"),
    ("/flow-delete-requests?sort_by=updated", "sort_by", '.* sort_by: "updated" must be one of created, expiry'),
    ("/flows?label=%FF", "label", 'query parameter "?label"?: "%FF" must be UTF-8 text'),
    ("/flows?tag.%FF=x", "tag.%FF", 'query parameter "tag.%FF": its name must be UTF-8 text'),
    (f"/flows?source_id={ID.upper()}", "source_id", f'query parameter source_id: "{ID.upper()}" must match {PATTERN}'),
]
BAD_BODIES: list[tuple[bytes, str | None, str]] = [
    (b'{"name": 5}', "name", "name: 5 must be of type string"),
    (b'{"description": null}', "description", "description: null must be of type string"),
    (b'{"description": ["x"]}', "description", r'description: \["x"\] must be of type string'),
    (b"[]", None, r"the body: \[\] must be of type object"),
    (b"{", None, "the body is not valid JSON: .*"),
    (b"\xff", None, "the body is not valid JSON: .*"),
    (b'{"name": NaN}', None, "the body is not valid JSON: .*"),
    (b"", None, "the body is empty; it must be a JSON document"),
    (b'{"x": ' + b"[" * 100 + b"]" * 100 + b"}", None, "the body nests more than 64 levels deep"),
]
MISSING = [
    (f"/flows/{ID}", "flowId", f"there is no flow {ID}"),
    (f"/sources/{ID}", "sourceId", f"there is no source {ID}"),
    (f"/service/profiles/{ID}", "profileId", f"there is no profile {ID}"),
    (f"/flow-delete-requests/{ID}", "request-id", f"there is no flow delete request {ID}"),
    ("/objects/a%2Fb", "objectId", "there is no object 'a/b'"),
    ("/flows/nonsense", "flowId", f'path parameter flowId: "nonsense" must match {PATTERN}'),
    ("/service/webhooks/nonsense", "webhookId", f'path parameter webhookId: "nonsense" must match {PATTERN}'),
    ("/flows/%FF", "flowId", 'path parameter flowId: "%FF" must be UTF-8 text'),
    (f"/service/webhooks/{ID}", "webhookId", f"there is no webhook {ID}"),
    ("/nothing", None, "the API has no path /nothing"),
    ("/flows//", None, "the API has no path /flows//"),
]
UNSUPPORTED_METHODS = [
    ("DELETE", "/service", "GET, POST, HEAD, OPTIONS"),
    ("POST", BACKENDS, "GET, HEAD, OPTIONS"),
    ("PATCH", f"/flows/{ID}", "GET, PUT, DELETE, HEAD, OPTIONS"),
    ("GET", f"/flows/{ID}/storage", "POST, OPTIONS"),
    ("PUT", f"/service/profiles/{ID}", "GET, POST, HEAD, OPTIONS"),
    ("DELETE", f"/service/profiles/{ID}", "GET, POST, HEAD, OPTIONS"),
    ("POST", "/healthz", "GET, HEAD"),
    ("PUT", "/openapi.json", "GET, HEAD"),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("problems"), max_body_bytes=MAX_BODY) as running:
        yield running


def problem(response: httpx.Response, status: int, kind: str, message: str, field: str | None = None) -> dict[str, Any]:
    """Check what all errors have in common, and return the problem document. kind: of the class of errors."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert re.fullmatch(message, document["message"], re.DOTALL), document["message"]
    assert document["detail"] == document["summary"] == document["message"]
    assert (CODES[document["code"]].kind, document.get("field")) == (kind, field)
    assert document["severity"] == CODES[document["code"]].severity
    assert document["type"] == f"urn:x-tams-server:problem:{kind.replace('_', '-')}"
    assert (document["status"], document["title"]) == (status, HTTPStatus(status).phrase)
    assert document["instance"] == response.request.url.raw_path.decode().partition("?")[0]
    assert document["request_id"] == response.headers["X-Request-Id"]
    assert datetime.fromisoformat(document["time"]).utcoffset() is not None
    assert "traceback" not in document
    return document


@pytest.mark.behaviour("SVC-GEN-05", "A61", "AMB-30", "A06", "A07", "A09", "PAGE-09", "PAGE-06", "SVC-GEN-09")
@pytest.mark.parametrize(("path", "field", "message"), BAD_QUERIES)
def test_an_invalid_query_names_the_parameter(running: Running, path: str, field: str, message: str) -> None:
    problem(running.client.get(path), 400, "invalid", message, field)


@pytest.mark.behaviour("SVC-GEN-05", "SVC-GEN-04", "SVC-POST-03", "A61")
@pytest.mark.parametrize(("body", "field", "message"), BAD_BODIES, ids=lambda value: str(value)[:30])
def test_an_invalid_body_names_the_member(running: Running, body: bytes, field: str | None, message: str) -> None:
    problem(running.client.post("/service", content=body), 400, "invalid", message, field)


@pytest.mark.behaviour("SVC-GEN-05", "SVC-GEN-03", "A02", "A61", "HOOK-LIST-07", "HOOK-GET-01")
@pytest.mark.parametrize(("path", "field", "message"), MISSING)
def test_a_missing_resource_names_the_path_parameter(
    running: Running, path: str, field: str | None, message: str
) -> None:
    # As an absolute URL, because a client takes what follows two slashes for a host.
    problem(running.client.get(running.url + path), 404, "not_found", message, field)


@pytest.mark.behaviour("HOOK-PUT-05", "A33")
def test_a_missing_webhook_precedes_an_invalid_body(running: Running) -> None:
    response = running.client.put(f"/service/webhooks/{ID}", json={"url": 5})
    problem(response, 404, "not_found", f"there is no webhook {ID}", "webhookId")


@pytest.mark.behaviour("HOOK-POST-03", "HOOK-POST-05", "HOOK-POST-08", "HOOK-POST-14", "AMB-13", "A61")
@pytest.mark.parametrize(
    ("members", "field", "message"),
    [
        ({"url": 5}, "url", "url: 5 must be of type string"),
        ({"events": ["flows/seen"]}, "events.0", r'events\.0: "flows/seen" must be one of .*'),
        ({"status": "started"}, "status", 'status: "started" must be one of created, disabled'),
        ({"flow_ids": ["x"]}, "flow_ids.0", f'flow_ids\\.0: "x" must match {PATTERN}'),
        ({"url": "http://127.0.0.1/hook"}, "url", "url has the host 127.0.0.1, whose address is not public .*"),
        ({"url": "ftp://a.example/"}, "url", "url .*"),
        ({"api_key_name": "Host", "api_key_value": "x"}, "api_key_name", "api_key_name .*"),
        ({"api_key_name": "X-Key"}, "api_key_value", "api_key_value is required: .*"),
    ],
    ids=str,
)
def test_an_invalid_webhook_names_the_member(
    running: Running, members: dict[str, Any], field: str, message: str
) -> None:
    body = {"url": "https://receiver.example.com/", "events": [], **members}
    problem(running.client.post("/service/webhooks", json=body), 400, "invalid", message, field)


VARIABLE = {"frame_width": 1280, "frame_height": 720, "vfr": True, "frame_rate": {"numerator": 25}}
ELSEWHERE = {"url": "https://media.example.com/1", "label": "there"}


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "message"),
    [
        ("PUT", "", {"profile_id": ID}, "profile_id", "profile_id: is not allowed together with format"),
        ("PUT", "", {"profile_id": "", "format": None}, "format", "format: is required"),
        (
            *("PUT", "", {"essence_parameters": VARIABLE}, "essence_parameters.frame_rate"),
            r"essence_parameters\.frame_rate: is not allowed here",
        ),
        ("PUT", "", {"profile_id": "x", "format": None}, "profile_id", f'profile_id: "x" must match {PATTERN}'),
        (
            "POST",
            "/storage",
            {"limit": 1, "object_ids": ["x"]},
            "object_ids",
            ".*: is not allowed together with limit",
        ),
        ("POST", "/storage", {"object_ids": ["x", "y", "x"]}, "object_ids.2", r"object_ids\.2 'x' is repeated"),
        ("POST", "/storage", {"object_ids": ["x", ""]}, "object_ids.1", r"object_ids\.1 must not be '', .*"),
        ("POST", "/segments", {"timerange": "[0:0_1:0)\n"}, "timerange", r'timerange: "\[0:0_1:0\)\\n" must match .*'),
        (
            *("POST", "/segments", {"get_urls": [{**ELSEWHERE, "label": "x" * 2049}]}, "get_urls.0.label"),
            r"get_urls\.0\.label must have at most 2048 bytes of UTF-8, not 2049",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_conflicting_members_are_named(
    running: Running, method: str, path: str, body: dict[str, Any], field: str, message: str
) -> None:
    document = flow()
    running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    whole = {"": document, "/segments": {"object_id": fresh(), "timerange": "[0:0_1:0)"}}.get(path, {}) | body
    sent = {name: value for name, value in whole.items() if value is not None}
    problem(running.client.request(method, f"/flows/{document['id']}{path}", json=sent), 400, "invalid", message, field)


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"url": "https://a.example/1"}, "label", "label: is required"),
        ({}, "storage_id", "storage_id: is required"),
        (
            {"storage_id": ID, **ELSEWHERE},
            None,
            "the body: .* must match exactly one of these forms, but matches several: .*",
        ),
    ],
    ids=str,
)
def test_an_invalid_instance_names_the_member(
    running: Running, body: dict[str, Any], field: str | None, message: str
) -> None:
    document, object_id = flow(), fresh()
    running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    segment = {"object_id": object_id, "timerange": "[0:0_1:0)", "get_urls": [ELSEWHERE]}
    running.client.post(f"/flows/{document['id']}/segments", json=segment).raise_for_status()
    problem(running.client.post(f"/objects/{object_id}/instances", json=body), 400, "invalid", message, field)


@pytest.mark.behaviour("SVC-GEN-06", "A01", "SB-GET-08", "PROF-IMM-01")
@pytest.mark.parametrize(("method", "path", "allowed"), UNSUPPORTED_METHODS)
def test_an_unsupported_method_lists_the_allowed_ones(running: Running, method: str, path: str, allowed: str) -> None:
    response = running.client.request(method, path, json={})
    problem(response, 405, "method_not_allowed", ".*")
    assert response.headers["Allow"] == allowed


@pytest.mark.behaviour("SVC-GEN-06")
@pytest.mark.parametrize("path", ["/service", f"/flows/{ID}", f"/objects/{ID}/instances", BACKENDS])
def test_options_allows_the_same_methods_as_405(running: Running, path: str) -> None:
    response = running.stranger().options(path)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Allow"] == running.client.patch(path).headers["Allow"]


@pytest.mark.behaviour("AUTH-01", "AUTH-05", "A01", "A61")
@pytest.mark.parametrize("path", ["/service", f"/flows/{ID}", "/nothing", "/flows?limit=many"])
def test_a_missing_credential_precedes_all_other_errors(running: Running, path: str) -> None:
    response = running.stranger().delete(path)
    problem(response, 401, "unauthorized", "authentication is required: .*")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="TAMS", Basic realm="TAMS", charset="UTF-8"'


@pytest.mark.behaviour("AUTH-05")
@pytest.mark.parametrize("authorization", ["Bearer wrong", "Basic wrong", "Basic bm86Y29sb24=", "Bearer", "Digest x"])
def test_an_invalid_credential_is_reported_as_in_rfc_6750(running: Running, authorization: str) -> None:
    response = running.stranger().get("/service", headers={"Authorization": authorization})
    problem(response, 401, "unauthorized", ".*credential.*")
    assert 'Bearer realm="TAMS", error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.behaviour("A01", "A61")
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/json", "application/json; charset=latin-1", "multipart/form-data", "*/*", "nonsense"],
)
def test_an_unsupported_media_type_is_quoted(running: Running, content_type: str) -> None:
    response = running.client.post("/service", content=b'{"name": "x"}', headers={"Content-Type": content_type})
    problem(response, 415, "unsupported_media_type", f'Content-Type: "{re.escape(content_type)}" must be .*')


@pytest.mark.behaviour("A01")
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON", "application/json;charset=UTF-8", "application/merge-patch+json", None],
)
def test_json_media_types_are_accepted(running: Running, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert running.client.post("/service", content=b'{"name": "x"}', headers=headers).status_code == 200


@pytest.mark.behaviour("A01", "A61")
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_body_that_is_too_large_is_not_read_completely(running: Running, announced: bool) -> None:
    largest = b'{"name": "' + b"x" * (MAX_BODY - 12) + b'"}'
    assert len(largest) == MAX_BODY
    assert running.client.post("/service", content=largest).status_code == 200
    larger = largest.replace(b"x", b"xx", 1)
    response = running.client.post("/service", content=larger if announced else iter([larger[:10], larger[10:]]))
    problem(response, 413, "too_large", f"the body must be at most {MAX_BODY} bytes")
    assert response.headers["Connection"] == "close"
    assert running.client.get("/service").json()["name"] == largest[10:-2].decode()


@pytest.mark.behaviour("A33")
def test_missing_and_read_only_resources_precede_invalid_bodies(running: Running) -> None:
    document = flow(read_only=True)
    path = f"/flows/{document['id']}"
    assert running.client.put(f"/flows/{fresh()}/label", json=5).status_code == 404
    assert running.client.put(path, json=document).status_code == 201
    problem(running.client.put(f"{path}/label", json=5), 403, "forbidden", ".*read_only.*", "read_only")
    assert running.client.put(f"{path}/read_only", json=False).status_code == 204
    problem(running.client.put(f"{path}/label", json=5), 400, "invalid", "the body: 5 must be of type string")


@pytest.mark.behaviour("SVC-GEN-05", "A61")
@pytest.mark.parametrize("path", ["/nothing", f"/flows/{ID}", "/flows?limit=many"])
def test_a_problem_document_is_valid_as_the_error_of_the_specification(running: Running, path: str) -> None:
    validator = SchemaValidators(load_document(API)).validator({"$ref": "#/components/schemas/error"})
    assert validator.is_valid(running.client.get(path).json())


@pytest.mark.behaviour("AUTH-08", "SVC-GEN-05")
@pytest.mark.parametrize("path", ["/nothing", "/flows?limit=many", f"/flows/{ID}", "/service?x=%FF"])
def test_an_error_never_contains_the_token(running: Running, path: str) -> None:
    url = f"{running.url}{path}{'&' if '?' in path else '?'}access_token={TOKEN}"
    response = running.stranger().get(url)
    assert response.status_code in (200, 400, 404)
    assert TOKEN not in response.text + str(response.headers)


@pytest.mark.behaviour("SVC-GEN-01")
@pytest.mark.parametrize("path", ["/nothing", f"/flows/{ID}", "/flows?limit=many"])
def test_head_of_an_error_has_only_its_headers(running: Running, path: str) -> None:
    head, get = running.client.head(path), running.client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Content-Type"] == "application/problem+json"
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
