"""Credentials for other TAMS servers, from variables of the environment or the files that these name."""

from collections.abc import Mapping
from pathlib import Path

from tams_server.client import Basic, ClientCredentials, Credentials, Token
from tams_server.settings import SettingsError

_KINDS = ("TOKEN", "BASIC", "CLIENT")


def credentials_of(environ: Mapping[str, str], prefix: str) -> Credentials | None:
    """The credentials in `{prefix}_TOKEN`, `{prefix}_BASIC` ("user:password") or `{prefix}_CLIENT` ("id:secret").

    The last needs `{prefix}_TOKEN_URL`, and may have `{prefix}_SCOPE`. With `_FILE` at its end, a variable names a file
    with the value. None if there are none. Raises SettingsError.
    """
    found = {kind: value for kind in _KINDS if (value := _value(environ, f"{prefix}_{kind}"))}
    if len(found) > 1:
        raise SettingsError([f"set only one of {', '.join(f'{prefix}_{kind}' for kind in found)}"])
    for kind, value in found.items():
        if kind == "TOKEN":
            return Token(value)
        name, colon, secret = value.partition(":")
        if not colon:
            raise SettingsError([f"{prefix}_{kind} must be a name and a secret with a colon between them"])
        if kind == "BASIC":
            return Basic(name, secret)
        token_url = _value(environ, f"{prefix}_TOKEN_URL")
        if not token_url.startswith(("https://", "http://")):
            raise SettingsError([f"{prefix}_TOKEN_URL must be the URL at which {prefix}_CLIENT gets its tokens"])
        return ClientCredentials(token_url, name, secret, _value(environ, f"{prefix}_SCOPE"))
    return None


def _value(environ: Mapping[str, str], name: str) -> str:
    path = environ.get(f"{name}_FILE")
    if path is None:
        return environ.get(name, "")
    if name in environ:
        raise SettingsError([f"set only one of {name} and {name}_FILE"])
    try:
        return Path(path).read_text().rstrip("\r\n")
    except OSError as error:
        raise SettingsError([f"{name}_FILE: {path} cannot be read: {error.strerror}"]) from error
