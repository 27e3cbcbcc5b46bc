"""The state of one request and its response, shared by the parts of the application through the ASGI scope."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.types import Scope

from handlers.shared.call import Call
from storage.catalog.caller import Caller
from storage.error_codes.code import ErrorCode
from storage.preconditions import Preconditions
from tams_server.specification.operations import Operation

_KEY = "tams_server"


@dataclass(slots=True)
class Exchange:
    """Set by OuterMiddleware:
    raw_path: the path as the client sent it, percent-encoded, below the base path of the server.
    query_string: as the client sent it. public_query: the same without the access token, for links and logs (AUTH-08).
    headers: the first value of each header, by lower-case name.
    base_url: public origin and base path of this server, without a trailing slash.

    Set on the way through the application:
    label: what the request is counted under in metrics: an operationId, or the label of a path outside the API.
    operation, raw_parameters: by routing. raw_parameters: path parameters, still percent-encoded.
    caller, credential_kind, failed_login: by authentication. credential_kind: "token", "basic" or None.
    failed_login: what the audit log says of a credential that was rejected.
    rate_limits: headers that tell the client where it stands, by authentication.
    error_code: of the error that is the response. broken_rule: the pointer to the rule of a schema that the request
    breaks, whether it is rejected for that or not.
    path_parameters, preconditions, read_call: by validation. path_parameters: percent-decoded. read_call: validates the
    query and the body, and returns the call for the handler.
    """

    request_id: str
    raw_path: str
    query_string: str
    public_query: str = ""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    base_url: str = ""
    label: str = "none"
    operation: Operation | None = None
    raw_parameters: dict[str, str] = field(default_factory=dict)
    caller: Caller | None = None
    credential_kind: str | None = None
    failed_login: Mapping[str, str | None] | None = None
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    preconditions: Preconditions | None = None
    read_call: Callable[[], Call] | None = None
    rate_limits: tuple[tuple[bytes, bytes], ...] = ()
    error_code: ErrorCode | None = None
    broken_rule: str | None = None


def start_exchange(scope: Scope, exchange: Exchange) -> None:
    scope[_KEY] = exchange


def exchange_of(scope: Scope) -> Exchange:
    """Return the exchange of a request. Raises KeyError if it did not come through OuterMiddleware."""
    exchange: Exchange = scope[_KEY]
    return exchange
