"""Requests for tokens made to cost a server as much as possible, by clients that it does not know."""

import base64
import gzip
from collections.abc import Iterator

from tams_server.http.limits import HEADER_BYTES, TARGET_BYTES
from tests.faults.hostile_requests import Hostile

_PATH = "/oauth2/token"
_FORM = "application/x-www-form-urlencoded"
_LIMIT = 4 * 2**10
"""Bytes of a body (docs/access.md)."""
_GRANT = b"grant_type=client_credentials"


def bad_token_requests() -> Iterator[Hostile]:
    """Yield requests with the worst bodies, queries and credentials."""
    for size in (_LIMIT, 2**20, 2**24):
        for name, body in _bodies(size).items():
            yield _request(f"{name}, {size} bytes", body)
    yield _request("compressed", gzip.compress(b"a=1&" * 2**22, 1), **{"Content-Encoding": "gzip"})
    yield _request("long type", _GRANT, **{"Content-Type": _FORM + "; a=b" * (HEADER_BYTES // 8)})
    room = HEADER_BYTES - 2000
    for name, value in {
        "colons": ":" * (room // 2),
        "escapes": "%41" * (room // 6) + ":" + "%41" * (room // 6),
        "broken escapes": "%" * (room // 4) + ":" + "%" * (room // 4),
        "long secret": "recorder:" + "s" * (room // 2),
    }.items():
        credential = base64.b64encode(value.encode()).decode()[:room]
        yield _request(f"header with {name}", _GRANT, Authorization=f"Basic {credential}")
    yield _request("header that is no base64", _GRANT, Authorization="Basic " + "=" * room)
    for name, query in {"parameters": "a=1&" * (TARGET_BYTES // 5), "escapes": "%" * (TARGET_BYTES - 200)}.items():
        yield Hostile(f"token: query of {name}", "POST", f"{_PATH}?{query}", _GRANT, {"Content-Type": _FORM})


def _bodies(size: int) -> dict[str, bytes]:
    named = _GRANT + b"&client_id=recorder&client_secret="
    return {
        "fields": b"a=1&" * (size // 4),
        "separators": b"&" * size,
        "equals signs": b"=" * size,
        "escapes": _GRANT + b"&scope=" + b"%20" * (size // 3),
        "broken escapes": named + b"%" * size,
        "plus signs": _GRANT + b"&scope=" + b"+" * size,
        "many scopes": _GRANT + b"&scope=" + b"tams-api/read+" * (size // 14),
        "long secret": named + b"s" * (size - len(named)),
        "repeated field": b"scope=a&" * (size // 8),
        "no text": b"\xff" * size,
    }


def _request(name: str, body: bytes, **headers: str) -> Hostile:
    return Hostile(f"token: {name}", "POST", _PATH, body, {"Content-Type": _FORM, **headers})
