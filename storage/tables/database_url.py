"""The database URLs of the SQL engines: each is parsed in one place only. That of VAST is in vast/address.py."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    import sqlalchemy as sa


def sqlite_file(url: str) -> Path:
    """The file that `sqlite:///relative/file` or `sqlite:////absolute/file` names. Raises ValueError."""
    text = url.removeprefix("sqlite:///")
    for sign in "?#":
        if sign in text:
            raise ValueError(f"the database URL has no options: write {sign} in a file name as %{ord(sign):X}")
    try:
        file = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("the database URL must encode UTF-8") from None
    if not file or file.endswith("/") or "\0" in file:
        raise ValueError("the database URL names no file: it must have the form sqlite:////folder/file")
    return Path(file)


def parse_postgresql_url(url: str) -> "sa.URL":
    """The parsed URL. Raises ValueError, whose message has no part of the URL, since any may belong to a password."""
    import sqlalchemy as sa

    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is None or "@" in (parsed.host or ""):
        raise ValueError(
            "the database URL is invalid: it must have the form postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE,"
            " with @, / and % in a name or password written as %40, %2F and %25"
        )
    return parsed


POOL_PARAMETERS = ("pool_size", "pool_timeout")
TIMEOUT_PARAMETERS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
"""Parameters of a PostgreSQL URL that are the engine's own, and not libpq's."""


def libpq_url(url: str) -> str:
    """A URL of PostgreSQL as libpq takes it. Raises ValueError as `parse_postgresql_url`."""
    parsed = parse_postgresql_url(url).set(drivername="postgresql")
    return parsed.difference_update_query([*POOL_PARAMETERS, *TIMEOUT_PARAMETERS]).render_as_string(hide_password=False)
