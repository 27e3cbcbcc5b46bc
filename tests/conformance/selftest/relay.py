"""A relay between the worker and the kit's receiver, which can introduce faults into deliveries.

The server gets the relay's URL for each webhook, while the kit sees its own: see `before` and `after`.
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
"""The prefix of the receiver's URLs. URLs of other webhooks are left unchanged."""


class Relay(Receiver):
    """Forwards deliveries. fault: applied to all further deliveries; None for none."""

    fault: Fault | None = None

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._client = httpx.Client(timeout=60, trust_env=False)

    def receive(self, path: str, delivery: Delivery) -> Reply:
        url = unquote(path.lstrip("/"))
        if self.fault is None:
            return self._forward(url, delivery)
        return self.fault.delivering(delivery, partial(self._forward, url))

    def _forward(self, url: str, delivery: Delivery) -> Reply:
        headers = [(name, value) for name, value in delivery.headers.multi_items() if name not in _HOP]
        try:
            response = self._client.request(delivery.method, url, content=delivery.body, headers=headers)
        except httpx.HTTPError:
            return HANG_UP
        kept = {name: value for name, value in response.headers.items() if name not in _HOP}
        return Reply(response.status_code, kept, response.content)

    def before(self, request: Request) -> Request:
        """Replace the receiver's URL in a request by one of this relay."""
        if not _of_webhooks(request) or request.method not in ("POST", "PUT"):
            return request
        try:
            document = json.loads(request.body)
        except ValueError:
            return request
        url = document.get("url") if isinstance(document, dict) else None
        if not isinstance(url, str) or not url.startswith(_NEAR):
            return request
        return replace(request, body=json.dumps({**document, "url": self._relay_url(url)}).encode())

    def after(self, request: Request, response: Response) -> Response:
        """Put the receiver's URLs back into a response."""
        return response.with_json(self._restored) if _of_webhooks(request) else response

    def _relay_url(self, url: str) -> str:
        return f"{self.url}/{quote(url, safe='')}"

    def _restored(self, document: Any) -> Any:
        if isinstance(document, list):
            return [self._restored(each) for each in document]
        if isinstance(document, dict) and str(document.get("url")).startswith(self.url):
            return {**document, "url": unquote(document["url"].removeprefix(f"{self.url}/"))}
        return document


def _of_webhooks(request: Request) -> bool:
    return request.path.startswith("/service/webhooks")
