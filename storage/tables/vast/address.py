"""The database URL of a VAST cluster: location, credentials and timeouts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

_SCHEMES = {"vast": "https", "vast+http": "http"}
_OPTIONS = {"ca", "timeout", "patience", "queue", "direct"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the tables are, and how to reach them.

    endpoint: URL of the cluster.
    verify: path of a CA certificate file, or whether to verify certificates at all.
    connect_s, response_s: timeouts of one request, in seconds.
    retry_s: how long, in seconds, to keep retrying where a retry is safe: the cluster asks to slow down, a lock is
        contended, or a commit got no response.
    queue_locally: whether writers on this machine wait for each other before they send requests.
    direct_reads: whether reads may do without a transaction.
    """

    endpoint: str
    bucket: str
    schema: str
    access: str
    secret: str = field(repr=False)
    verify: bool | str = True
    connect_s: float = 5
    response_s: float = 20
    retry_s: float = 10
    queue_locally: bool = True
    direct_reads: bool = True


def parse_address(url: str, secret: str | None = None) -> Address:
    """Parse `vast://access[:secret]@host[:port]/bucket/schema` (HTTPS) or `vast+http://...` (plain HTTP).

    secret: used where the URL has none.
    Options in the query: `ca=FILE` (CA certificate), `timeout=SECONDS`, `patience=SECONDS`, `queue=no`, `direct=no`.
    Raises ValueError, whose message never contains the secret.
    """
    try:
        parts = urlsplit(url)
        named_port = parts.port
    except ValueError:
        # The message could contain a part of the secret.
        raise _wrong_form() from None
    path = [unquote(part) for part in parts.path.split("/") if part]
    if parts.scheme not in _SCHEMES or not parts.hostname or not parts.username or len(path) != 2 or parts.fragment:
        raise _wrong_form()
    secret = unquote(parts.password) if parts.password else secret
    if not secret:
        raise ValueError("the VAST database has no secret key: set TAMS_VAST_SECRET")
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise ValueError(f"the VAST database URL has an unknown option: {min(unknown)}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{named_port}" if named_port else ""
    return Address(
        endpoint=f"{_SCHEMES[parts.scheme]}://{host}{port}",
        bucket=path[0],
        schema=path[1],
        access=unquote(parts.username),
        secret=secret,
        verify=options.get("ca", True),
        response_s=_seconds(options, "timeout", 20),
        retry_s=_seconds(options, "patience", 10),
        queue_locally=_yes_or_no(options, "queue"),
        direct_reads=_yes_or_no(options, "direct"),
    )


def _wrong_form() -> ValueError:
    return ValueError(
        "a VAST database URL must have the form vast://ACCESS-KEY@HOST:PORT/BUCKET/SCHEMA, with /, @, #, ? and % in a"
        " key written as %2F, %40, %23, %3F and %25"
    )


def _seconds(options: Mapping[str, str], name: str, default: float) -> float:
    text = options.get(name)
    try:
        seconds = default if text is None else float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < math.inf:
        raise ValueError(f"option {name} of the VAST database URL must be a number of seconds above 0, not {text!r}")
    return seconds


def _yes_or_no(options: Mapping[str, str], name: str) -> bool:
    text = options.get(name, "yes")
    if text not in ("yes", "no"):
        raise ValueError(f"option {name} of the VAST database URL must be yes or no, not {text!r}")
    return text == "yes"
