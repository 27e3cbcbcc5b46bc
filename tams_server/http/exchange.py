"""What the parts of the application know of one request while it passes through them, kept in the ASGI scope."""

from dataclasses import dataclass, field

from starlette.types import Scope

from handlers.shared.call import Call
from storage.catalog.caller import Caller
from tams_server.specification.operations import Operation

_KEY = "tams_server"


@dataclass(slots=True)
class Exchange:
    """raw_path: as the client sent it, percent-encoded, below the base path of the server.
    query_string: as the client sent it.
    label: what the request counts as in metrics: an operationId, or the name of a part outside the API.
    operation, raw_parameters: set by routing; raw_parameters are path parameters still percent-encoded.
    caller: set by security. call: set by validation.
    """

    request_id: str
    raw_path: str
    query_string: str
    base_url: str = ""
    label: str = "none"
    operation: Operation | None = None
    raw_parameters: dict[str, str] = field(default_factory=dict)
    caller: Caller | None = None
    call: Call | None = None


def exchange_of(scope: Scope) -> Exchange:
    """The exchange of a request that came through the front (tams_server.front)."""
    exchange: Exchange = scope[_KEY]
    return exchange


def start_exchange(scope: Scope, exchange: Exchange) -> None:
    scope[_KEY] = exchange
