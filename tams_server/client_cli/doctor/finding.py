"""What a check finds, and what the checks have in common."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import httpx

from tams_server.client import Client, RetryPolicy, Unreachable
from tams_server.client.exchange import TIMEOUT, tls
from tams_server.client_cli.contexts_file import Server

NO_RETRY = RetryPolicy(for_s=0)
"""A check reports what happens, not what happens after a while."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. message: what was found. remedy: what to do about it, "" for nothing."""

    state: Literal["ok", "warn", "fail"]
    check: str
    message: str
    remedy: str = ""

    def document(self) -> dict[str, str]:
        """The finding as JSON."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True)
class Patient:
    """The server that is examined. client: of the library. http: for requests that the library does not make."""

    server: Server
    client: Client
    http: httpx.Client

    @classmethod
    def of(cls, server: Server) -> "Patient":
        """Connections to a server. Close both clients in the end."""
        return cls(
            server,
            Client(server.url, server.credentials, retry=NO_RETRY),
            httpx.Client(base_url=server.url, timeout=TIMEOUT, verify=tls()),
        )

    def request(
        self, method: str, url: str, *, signed_in: bool = True, **headers: str
    ) -> tuple[httpx.Response, float, float]:
        """Send a request. Returns the response, the seconds that it took, and the time in the middle of it.

        headers: with underscores for hyphens. Raises Unreachable.
        """
        auth = self.server.credentials if signed_in else None
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        began, clock = time.monotonic(), time.time()
        try:
            response = self.http.request(method, url, headers=names, auth=auth)
        except httpx.TransportError as error:
            raise Unreachable(None, error) from error
        took = time.monotonic() - began
        return response, took, clock + took / 2


def milliseconds(seconds: float) -> str:
    """A short time in words."""
    return f"{seconds * 1000:,.0f} ms"


Check = Callable[[Patient], "list[Finding]"]
