"""Request headers in an ASGI scope."""

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first value of a header, or None. name: in lower case."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def all_headers(scope: Scope) -> dict[str, str]:
    """Return all headers by lower-case name. The values of a repeated header are joined with commas."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
