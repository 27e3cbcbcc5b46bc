"""A stop on the way from the worker to the receiver of the kit, at which what is sent can be spoilt.

The server is told another URL for each webhook, and shows the kit its own: see `before` and `after`.
"""

import json
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

import httpx

from tests.conformance.kit.receiver import HANG_UP, Delivery, Receiver, Reply
from tests.conformance.selftest.exchange import Request, Response
from tests.conformance.selftest.faults import Fault

_HOP = ("host", "connection", "content-length", "transfer-encoding")
_NEAR = "http://127.0.0.1:"
"""How the URLs of the kit's receiver begin. Those of other webhooks stay as they are."""


class Relay(Receiver):
    """fault: what happens to everything on its way from now on; None: nothing."""

    fault: Fault | None = None

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._client = httpx.Client(timeout=60, trust_env=False)

    def receive(self, path: str, delivery: Delivery) -> Reply:
        url = unquote(path.lstrip("/"))
        if self.fault is None:
            return self._forward(url, delivery)
        return self.fault.on_the_way(delivery, partial(self._forward, url))

    def _forward(self, url: str, delivery: Delivery) -> Reply:
        headers = [(name, value) for name, value in delivery.headers.multi_items() if name not in _HOP]
        try:
            response = self._client.request(delivery.method, url, content=delivery.body, headers=headers)
        except httpx.HTTPError:
            return HANG_UP
        kept = {name: value for name, value in response.headers.items() if name not in _HOP}
        return Reply(response.status_code, kept, response.content)

    def before(self, request: Request) -> Request:
        """With a URL of this relay instead of the receiver's."""
        if not _of_webhooks(request) or request.method not in ("POST", "PUT"):
            return request
        try:
            document = json.loads(request.body)
        except ValueError:
            return request
        url = document.get("url") if isinstance(document, dict) else None
        if not isinstance(url, str) or not url.startswith(_NEAR):
            return request
        return replace(request, body=json.dumps({**document, "url": self._detour(url)}).encode())

    def after(self, request: Request, response: Response) -> Response:
        """With the receiver's URLs again."""
        return response.telling(self._undone) if _of_webhooks(request) else response

    def _detour(self, url: str) -> str:
        return f"{self.url}/{quote(url, safe='')}"

    def _undone(self, document: Any) -> Any:
        if isinstance(document, list):
            return [self._undone(each) for each in document]
        if isinstance(document, dict) and str(document.get("url")).startswith(self.url):
            return {**document, "url": unquote(document["url"].removeprefix(f"{self.url}/"))}
        return document


def _of_webhooks(request: Request) -> bool:
    return request.path.startswith("/service/webhooks")
