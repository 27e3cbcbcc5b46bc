"""URLs of FileStore: their path, and the signature with which a client needs no credentials.

A presigned URL is the plain one with the query `exp` (Unix seconds), `sig` and, for uploads, `at` (the allocation) and
`ct` (the content type). The signature is that of the path without the extension, so that it names the object.
"""

import base64
import hmac
import time
from collections.abc import Callable
from urllib.parse import parse_qs, quote, unquote_to_bytes

from storage.errors import Forbidden, NotFound
from storage.media.names import EXTENSIONS
from storage.media.object_store import AllocationTerm

PREFIX = "/media/"

GRACE_S = 60
"""Added to every lifetime, to allow for wrong clocks and slow clients (TMO-04)."""

SHARED_S = 60
"""Expiry times are rounded up to a multiple of this, so that reloading a page soon returns the same URLs."""

_SIGNATURE_BYTES = 16
_SHORTEST_SECRET = 16
_DOT_SEGMENTS = (".", "..")


def media_path(backend_id: str, object_id: str, extension: str = "") -> str:
    """The path of an object below the base URL: its id as one segment, with slashes encoded, and the extension.

    A segment that could be misread has the prefix "!", which is encoded in all ids: the ids "." and "..", which clients
    would resolve as relative paths, and ids that end in a known extension themselves.
    """
    segment = quote(object_id, safe="", errors="surrogatepass")
    if not extension and (segment in _DOT_SEGMENTS or _without_extension(object_id) is not None):
        segment = "!" + segment
    return f"{PREFIX}{backend_id}/{segment}{extension}"


def signed_path(backend_id: str, object_id: str) -> str:
    """The path that signatures of an object's URLs cover, whatever the extension."""
    segment = quote(object_id, safe="", errors="surrogatepass")
    return f"{PREFIX}{backend_id}/{'!' + segment if segment in _DOT_SEGMENTS else segment}"


def parse_media_path(path: str) -> tuple[str, str]:
    """The backend id and object id of a path as the client sent it: the first of `possible_ids`. Raises NotFound."""
    backend_id, object_ids = possible_ids(path)
    return backend_id, object_ids[0]


def possible_ids(path: str) -> tuple[str, list[str]]:
    """The backend id and the possible object ids of a path as the client sent it (percent-encoded, without query).

    The first id is the one for which `media_path` makes this path. The others are those for which it was made before
    URLs had extensions, or by a proxy that has decoded a "!". Slashes that a proxy has decoded count as part of the id.
    Raises storage.errors.NotFound for a path that `media_path` cannot have made.
    """
    backend_id, slash, segment = path.removeprefix(PREFIX).partition("/")
    unknown = NotFound(f"path {path!r} is not the path of a media object")
    if not path.startswith(PREFIX) or not slash or not segment:
        raise unknown
    encoded = segment.encode("utf-8", "surrogatepass")
    decoded = unquote_to_bytes(encoded)
    if len(encoded) - len(decoded) != 2 * encoded.count(b"%"):
        raise unknown
    try:
        whole = decoded.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise unknown from None
    if segment.startswith("!") and len(segment) > 1:
        return backend_id, [whole[1:], whole]
    without = _without_extension(whole)
    return backend_id, [whole] if without is None else [without, whole]


def _without_extension(object_id: str) -> str | None:
    """The text before a known extension; None if it has none."""
    start, _, end = object_id.rpartition(".")
    return start if start and f".{end}" in EXTENSIONS else None


class UrlSigner:
    """Makes and checks signatures of method, path, expiry time and content type (HMAC-SHA256, cut to 128 bits).

    secret: at least 16 bytes (ValueError otherwise), the same in every process that serves the store.
    clock: returns Unix time in seconds.
    """

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        if len(secret) < _SHORTEST_SECRET:
            raise ValueError(f"the secret that signs media URLs must have at least 16 bytes, not {len(secret)}")
        self._clock = clock
        # A derived key, so that the secret can be used for other purposes as well.
        self._keyed = hmac.new(hmac.digest(secret, b"tams media urls", "sha256"), digestmod="sha256")

    def sign(self, method: str, path: str, lifetime_s: int, content_type: str = "") -> str:
        """The query that permits `method` ("GET" or "PUT") on `path` for at least `lifetime_s` seconds from now."""
        earliest = int(self._clock()) + lifetime_s + GRACE_S
        expires = str(-(-earliest // SHARED_S) * SHARED_S)
        signature = self._signature(method, path, expires, content_type)
        if content_type:
            return f"exp={expires}&ct={quote(content_type, safe='/')}&sig={signature}"
        return f"exp={expires}&sig={signature}"

    def sign_upload(self, path: str, lifetime_s: int, content_type: str, term: AllocationTerm) -> str:
        """The query that permits a PUT for `lifetime_s` seconds and a grace period, but not longer than the allocation.

        It is not rounded, and names the allocation, so that it does not permit an upload to a later one of the same id.
        """
        expires = str(int(self._clock() + min(lifetime_s + GRACE_S, term.remaining_s)))
        signature = self._signature("PUT", path, expires, content_type, str(term.created))
        return f"exp={expires}&at={term.created}&ct={quote(content_type, safe='/')}&sig={signature}"

    def check(self, method: str, path: str, query: str) -> str:
        """Check that `query` permits `method` on `path` now, and return the signed content type ("" if none was).

        Raises storage.errors.Forbidden for a wrong or incomplete signature, and after the expiry time.
        """
        try:
            fields = parse_qs(query, keep_blank_values=True, max_num_fields=20)
            expires, content_type, allocated, signature = (_single(fields, name) for name in ("exp", "ct", "at", "sig"))
        except ValueError:
            raise Forbidden("the query of this presigned URL is malformed") from None
        wanted = self._signature(method, path, expires, content_type, allocated)
        if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "surrogatepass")):
            raise Forbidden(
                f"sig is not valid for {method} on this path: the presigned URL was changed or made for another method"
            )
        if int(expires) < self._clock():
            raise Forbidden(f"exp: this presigned URL expired at {expires} (Unix seconds)")
        return content_type

    def _signature(self, method: str, path: str, expires: str, content_type: str, allocated: str = "") -> str:
        keyed = self._keyed.copy()
        last = f"\n{allocated}" if allocated else ""
        keyed.update(f"{method}\n{path}\n{expires}\n{content_type}{last}".encode("utf-8", "surrogatepass"))
        return base64.urlsafe_b64encode(keyed.digest()[:_SIGNATURE_BYTES]).rstrip(b"=").decode()


def is_signed(query: str) -> bool:
    """Whether a query is meant to be that of a presigned URL. Its signature may still be wrong."""
    return "sig=" in query and "sig" in parse_qs(query, keep_blank_values=True)


def allocation_of(query: str) -> int | None:
    """The allocation that the checked query of an upload names: its time in microseconds. None if it names none."""
    allocated = parse_qs(query).get("at")
    return int(allocated[0]) if allocated else None


def _single(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [""])
    if len(values) != 1:
        raise ValueError(name)
    return values[0]
