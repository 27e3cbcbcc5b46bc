"""Holds answers and events against the specification with openapi-core, a second opinion beside the server's own."""

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
_TOLD_CHARS = 300


class _Request:
    """A sent request as openapi-core wants to see it (its Request protocol)."""

    def __init__(self, request: httpx.Request, base_path: str) -> None:
        self.host_url = f"{request.url.scheme}://{request.url.netloc.decode()}"
        self.path = request.url.raw_path.decode().partition("?")[0].removeprefix(base_path) or "/"
        self.full_url_pattern = self.host_url + self.path
        self.method = request.method.lower()
        self.content_type = request.headers.get("content-type", "")
        self.body = None
        self.parameters = RequestParameters()


class _Event:
    """A request that brings an event, as openapi-core wants to see it (its WebhookRequest protocol)."""

    def __init__(self, name: str, method: str, content_type: str, body: bytes) -> None:
        self.name = name
        self.method = method.lower()
        self.content_type = content_type.partition(";")[0]
        self.body = body
        self.parameters = RequestParameters()


class _Response:
    """An answer as openapi-core wants to see it (its Response protocol)."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status_code = answer.status_code
        self.content_type = answer.headers.get("content-type", "").partition(";")[0]
        self.headers: Any = dict(answer.headers)
        self.data = answer.content


@cache
def _specification() -> OpenAPI:
    document = load_document(API)
    document.pop("servers", None)
    return OpenAPI.from_dict(document)


class Checker:
    """base_path: what of the server's URL comes before the paths of the specification."""

    def __init__(self, base_path: str = "") -> None:
        self._base_path = base_path.rstrip("/")

    def check(self, answer: httpx.Response) -> None:
        """Fail where status, headers or body are not what the specification says of the operation."""
        assert answer.status_code < 500, f"{answer.request.method} {answer.request.url}: {answer.text}"
        if answer.request.method in ("HEAD", "OPTIONS") or answer.status_code >= 400:
            return
        try:
            _specification().validate_response(_Request(answer.request, self._base_path), _Response(answer))
        except (OpenAPIError, ValueError) as error:
            what = f"{answer.request.method} {answer.request.url} answered {answer.status_code}"
            raise AssertionError(f"{what}, not as the specification describes it: {_told(error)}") from error


@lru_cache(maxsize=4096)
def check_event(method: str, content_type: str, body: bytes) -> None:
    """Fail where a request that brings an event is not as the specification describes that type of event."""
    shown = body[:_TOLD_CHARS].decode("utf-8", "replace")
    try:
        name = json.loads(body)["event_type"]
        _specification().validate_webhook_request(_Event(name, method, content_type, body))
    except (OpenAPIError, ValueError, LookupError, TypeError) as error:
        what = f"{method} of {content_type or 'no type'} brought {shown}"
        raise AssertionError(f"{what}, not as the specification describes the event: {_told(error)}") from error


def _told(error: Exception) -> str:
    """What is wrong, and where in the body if that is known."""
    found = best_match(getattr(error.__cause__, "schema_errors", ()))
    return str(error)[:_TOLD_CHARS] if found is None else f"at {found.json_path}: {found.message[:_TOLD_CHARS]}"
