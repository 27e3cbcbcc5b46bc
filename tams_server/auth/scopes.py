"""The scopes that operations require."""

from storage.catalog.caller import Caller
from storage.errors import Forbidden
from tams_server import error_codes
from tams_server.specification.operations import Operation


def check_scopes(caller: Caller, operation: Operation) -> None:
    """Raises Forbidden if `caller` has none of the scopes of `operation`, or lacks a further one (SCOPE-*, AUTH-06)."""
    for scope in operation.further_scopes:
        if not caller.may([scope]):
            raise Forbidden(
                f"{operation.method} {operation.path} requires the scope tams-api/{scope} as well",
                code=error_codes.AUTH_SCOPE,
                behaviour="AUTH-06",
            )
    if not caller.may(operation.scopes):
        needed = " or ".join(f"tams-api/{scope}" for scope in sorted(operation.scopes | {"admin"}))
        raise Forbidden(
            f"{operation.method} {operation.path} requires the scope {needed}",
            code=error_codes.AUTH_SCOPE,
            behaviour="AUTH-06",
        )
