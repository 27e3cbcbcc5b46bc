"""Where the tables are, and how long to wait for them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

_SCHEMES = {"vast": "https", "vast+http": "http"}


@dataclass(frozen=True, slots=True)
class Address:
    """endpoint: URL of the cluster. verify: the file of its certificate authority, or whether to check at all.

    connect_s and answer_s: how long one request may take; patience_s: how long to go on trying where it may be tried
    again (a cluster that asks to slow down, a race for a lock, a commit whose answer was lost). queue: whether writers
    of this machine wait for each other before they ask the cluster. direct: whether what can be is read without a
    transaction.
    """

    endpoint: str
    bucket: str
    schema: str
    access: str
    secret: str = field(repr=False)
    verify: bool | str = True
    connect_s: float = 5
    answer_s: float = 20
    patience_s: float = 10
    queue: bool = True
    direct: bool = True


def parse_address(url: str, secret: str | None = None) -> Address:
    """`vast://access[:secret]@host[:port]/bucket/schema`, over HTTPS; `vast+http://` for plain HTTP.

    secret: stands in for the one that the URL leaves out. Options of the URL: `?ca=FILE` (a certificate authority of
    its own), `?timeout=SECONDS`, `?patience=SECONDS`, `?queue=no`, `?direct=no`. Raises ValueError, which never shows
    the secret.
    """
    parts = urlsplit(url)
    where = [unquote(part) for part in parts.path.split("/") if part]
    if parts.scheme not in _SCHEMES or not parts.hostname or not parts.username or len(where) != 2:
        raise ValueError("a VAST database URL is vast://ACCESS-KEY@HOST:PORT/BUCKET/SCHEMA")
    found = unquote(parts.password) if parts.password else secret
    if not found:
        raise ValueError("the secret key of the VAST database is missing: set TAMS_VAST_SECRET")
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    unknown = options.keys() - {"ca", "timeout", "patience", "queue", "direct"}
    if unknown:
        raise ValueError(f"unknown option of the VAST database URL: {min(unknown)}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return Address(
        endpoint=f"{_SCHEMES[parts.scheme]}://{host}{port}",
        bucket=where[0],
        schema=where[1],
        access=unquote(parts.username),
        secret=found,
        verify=options.get("ca", True),
        answer_s=_seconds(options, "timeout", 20),
        patience_s=_seconds(options, "patience", 10),
        queue=_truth(options, "queue"),
        direct=_truth(options, "direct"),
    )


def _seconds(options: Mapping[str, str], name: str, default: float) -> float:
    try:
        found = float(options.get(name, default))
    except ValueError:
        found = 0
    if not 0 < found < math.inf:
        raise ValueError(f"option {name} of the VAST database URL must be a number of seconds above 0")
    return found


def _truth(options: Mapping[str, str], name: str) -> bool:
    found = options.get(name, "yes")
    if found not in ("yes", "no"):
        raise ValueError(f"option {name} of the VAST database URL must be yes or no, not {found!r}")
    return found == "yes"
