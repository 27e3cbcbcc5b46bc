"""The state of one request and its response, shared by the parts of the application through the ASGI scope."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import Scope

from handlers.shared.call import Call
from storage.catalog.caller import Caller
from storage.preconditions import Preconditions
from tams_server.specification.operations import Operation

_KEY = "tams_server"


@dataclass(slots=True)
class Exchange:
    """Set by OuterMiddleware:
    raw_path: the path as the client sent it, percent-encoded, below the base path of the server.
    query_string: as the client sent it.
    base_url: public origin and base path of this server, without a trailing slash.

    Set on the way through the application:
    label: what the request is counted under in metrics: an operationId, or the label of a path outside the API.
    operation, raw_parameters: by routing. raw_parameters: path parameters, still percent-encoded.
    caller: by authentication.
    path_parameters, preconditions, call: by validation. path_parameters: percent-decoded.
    """

    request_id: str
    raw_path: str
    query_string: str
    base_url: str = ""
    label: str = "none"
    operation: Operation | None = None
    raw_parameters: dict[str, str] = field(default_factory=dict)
    caller: Caller | None = None
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    preconditions: Preconditions | None = None
    call: Call | None = None


def start_exchange(scope: Scope, exchange: Exchange) -> None:
    scope[_KEY] = exchange


def exchange_of(scope: Scope) -> Exchange:
    """Return the exchange of a request. Raises KeyError if it did not come through OuterMiddleware."""
    exchange: Exchange = scope[_KEY]
    return exchange
