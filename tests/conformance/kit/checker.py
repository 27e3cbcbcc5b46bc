"""Validation of responses and events against the specification by openapi-core, independent of the server's own."""

import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import httpx
from jsonschema.exceptions import best_match
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError

from tams_server.specification.document import load_document

API = Path(__file__).parents[3] / "api"
_SHOWN_CHARS = 300


class _Request:
    """A request that was sent, as openapi-core's Request protocol."""

    def __init__(self, request: httpx.Request, base_path: str) -> None:
        self.host_url = f"{request.url.scheme}://{request.url.netloc.decode()}"
        self.path = request.url.raw_path.decode().partition("?")[0].removeprefix(base_path) or "/"
        self.full_url_pattern = self.host_url + self.path
        self.method = request.method.lower()
        self.content_type = request.headers.get("content-type", "")
        self.body = None
        self.parameters = RequestParameters()


class _Event:
    """A request that delivers an event, as openapi-core's WebhookRequest protocol."""

    def __init__(self, name: str, method: str, content_type: str, body: bytes) -> None:
        self.name = name
        self.method = method.lower()
        self.content_type = content_type.partition(";")[0]
        self.body = body
        self.parameters = RequestParameters()


class _Response:
    """A response, as openapi-core's Response protocol."""

    def __init__(self, response: httpx.Response) -> None:
        self.status_code = response.status_code
        self.content_type = response.headers.get("content-type", "").partition(";")[0]
        self.headers: Any = dict(response.headers)
        self.data = response.content


@cache
def _specification() -> OpenAPI:
    document = load_document(API)
    document.pop("servers", None)
    return OpenAPI.from_dict(document)


class Checker:
    """Validates responses. base_path: the part of the server's URL before the specification's paths."""

    def __init__(self, base_path: str = "") -> None:
        self._base_path = base_path.rstrip("/")

    def check(self, response: httpx.Response) -> None:
        """Fail if status, headers or body do not match the specification of the operation, or on any 5xx.

        Other errors, responses to HEAD and OPTIONS, and 304, of which HTTP knows all, are not validated further.
        """
        assert response.status_code < 500, f"{response.request.method} {response.request.url}: {response.text}"
        if response.request.method in ("HEAD", "OPTIONS") or response.status_code == 304 or response.status_code >= 400:
            return
        try:
            _specification().validate_response(_Request(response.request, self._base_path), _Response(response))
        except (OpenAPIError, ValueError) as error:
            what = f"{response.request.method} {response.request.url} returned {response.status_code}"
            raise AssertionError(f"{what}, which does not match the specification: {_reason(error)}") from error


@lru_cache(maxsize=4096)
def check_event(method: str, content_type: str, body: bytes) -> None:
    """Fail if a request that delivers an event does not match the specification of that event type."""
    shown = body[:_SHOWN_CHARS].decode("utf-8", "replace")
    try:
        name = json.loads(body)["event_type"]
        _specification().validate_webhook_request(_Event(name, method, content_type, body))
    except (OpenAPIError, ValueError, LookupError, TypeError) as error:
        what = f"{method} with {content_type or 'no content type'} delivered {shown}"
        raise AssertionError(
            f"{what}, which does not match the specification of the event: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """What is wrong and, if known, where in the body."""
    found = best_match(getattr(error.__cause__, "schema_errors", ()))
    return str(error)[:_SHOWN_CHARS] if found is None else f"at {found.json_path}: {found.message[:_SHOWN_CHARS]}"
