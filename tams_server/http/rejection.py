"""Requests that the connection rejects before their head is complete or valid.

They pass through the application all the same, so that the response has the problem document, the CORS headers and the
request id of every other error, and appears in the access log and the metrics.
"""

from starlette.types import Scope

from tams_server.errors import HttpError

_KEY = "tams_server.rejection"


def reject(scope: Scope, error: HttpError) -> None:
    """Make OuterMiddleware respond to the request with `error`."""
    scope[_KEY] = error


def raise_rejection(scope: Scope) -> None:
    """Raises the error with which the connection rejected the request, if it did."""
    error: HttpError | None = scope.get(_KEY)
    if error is not None:
        raise error
