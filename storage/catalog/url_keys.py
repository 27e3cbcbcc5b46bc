"""The keys that sign media URLs, as the catalogue holds them, and their rotation."""

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from storage.catalog.retry import retried
from storage.errors import Unavailable
from storage.media.url_keys import RENEW_S, STALE_S, UrlKey
from storage.tables.conditions import equals
from storage.tables.engine import Engine

ROW = "media_url_secret"
"""Key in the table `service`. The value is the secret in hexadecimal, or a list of keys once they were rotated."""

AHEAD_S = 5
"""How long before it signs a new key is published. Processes in use read the keys every RENEW_S, others before use."""
assert AHEAD_S > 2 * RENEW_S


def new_value() -> str:
    """The value of the row in a new catalogue."""
    return secrets.token_hex(32)


def parse_keys(value: Any) -> tuple[UrlKey, ...]:
    """The keys in the value of the row."""
    if isinstance(value, str):
        return (UrlKey(bytes.fromhex(value)),)
    return tuple(UrlKey(bytes.fromhex(key["secret"]), key["signs_from"], key["valid_until"]) for key in value)


def read_keys(engine: Engine) -> tuple[UrlKey, ...]:
    """The keys in the catalogue, which has some (storage.catalog.service.load_identity). Raises Unavailable."""
    with engine.read_once() as tx:
        row = tx.get("service", key=ROW)
    if row is None:
        raise Unavailable(
            "the catalogue has no keys for media URLs: it is not the one that this server was started with"
        )
    return parse_keys(row["value"])


@retried
def rotate_keys(
    engine: Engine, lifetime_s: int, *, revoke: bool = False, clock: Callable[[], float] = time.time
) -> tuple[UrlKey, ...]:
    """Add a key, and return all that are accepted, the newest last.

    The former ones stay valid until the last URL that they sign has expired. lifetime_s: the longest lifetime of a URL.
    revoke: let them become invalid at once instead, with all URLs that they have signed.
    """
    now = int(clock())
    new = UrlKey(secrets.token_bytes(32), now if revoke else now + AHEAD_S)
    # A process that cannot read the keys signs with those that it has for a while.
    last = new.signs_from + STALE_S + lifetime_s
    with engine.write() as tx:
        tx.lock("service")
        row = tx.get("service", key=ROW)
        former = () if row is None or revoke else parse_keys(row["value"])
        valid = [key for key in former if key.valid_until is None or key.valid_until > now]
        keys = (*(key if key.valid_until else UrlKey(key.secret, key.signs_from, last) for key in valid), new)
        tx.delete("service", equals(key=ROW))
        tx.insert("service", [{"key": ROW, "value": _document(keys)}])
    return keys


def _document(keys: Sequence[UrlKey]) -> list[dict[str, Any]]:
    return [{"secret": key.secret.hex(), "signs_from": key.signs_from, "valid_until": key.valid_until} for key in keys]
