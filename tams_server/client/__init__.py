"""A client library for any TAMS 8.x server, over httpx: synchronous and asynchronous.

An operation is a `Call` made by a function of `tams_server.client.calls`, a listing a `Listing`. Both clients send
calls, iterate listings over all pages, retry with back-off, and transfer media:

    with Client("http://localhost:4010", Token("...")) as tams:
        flow = tams.send(calls.flow(flow_id))
        for segment in tams.iterate(calls.segments(flow_id, TimeRange(0, 10 * NS))):
            ...

This package imports nothing of the server but `storage.timerange`.
"""

from tams_server.client import calls
from tams_server.client.async_client import AsyncClient
from tams_server.client.calls import Call, Listing
from tams_server.client.credentials import Basic, ClientCredentials, Credentials, Token
from tams_server.client.errors import ApiError, ClientError, NotFound, Unreachable
from tams_server.client.retry import Retry, RetryPolicy
from tams_server.client.sync_client import Client

__all__ = [
    "ApiError",
    "AsyncClient",
    "Basic",
    "Call",
    "Client",
    "ClientCredentials",
    "ClientError",
    "Credentials",
    "Listing",
    "NotFound",
    "Retry",
    "RetryPolicy",
    "Token",
    "Unreachable",
    "calls",
]
