"""The fixtures of the conformance kit, for tests of choices that the standard leaves to this server; and a check of all
errors that these tests receive.
"""

from typing import Any

import httpx
import pytest

from storage.error_codes.code import CODES
from tams_server.cli.error_page import statuses
from tests.conformance.conftest import event_timeout, events_arrive, hooks, http, receiver, subject, tams

__all__ = ["event_timeout", "events_arrive", "hooks", "http", "receiver", "subject", "tams"]

_TOKEN_PATH = "/oauth2/token"
"""Its errors are those of RFC 6749."""


@pytest.fixture(autouse=True)
def every_error_has_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """F10: each error of this server that a test receives has a declared code, with the status of that code."""
    send = httpx.Client.send

    def send_and_check(client: httpx.Client, request: httpx.Request, **how: Any) -> httpx.Response:
        response = send(client, request, **how)
        of_this_server = "X-Request-Id" in response.headers and not request.url.path.endswith(_TOKEN_PATH)
        if response.status_code >= 400 and of_this_server and request.method != "HEAD":
            response.read()
            assert response.headers["Content-Type"] == "application/problem+json"
            document = response.json()
            code = CODES[document["code"]]
            assert statuses()[code.kind] == response.status_code == document["status"]
            assert document["severity"] == code.severity
        return response

    monkeypatch.setattr(httpx.Client, "send", send_and_check)
