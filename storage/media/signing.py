"""URLs of FileStore: their path, and the signature with which a client needs no credentials.

A presigned URL is the plain one with the query `exp` (Unix seconds), `ct` (uploads: the content type) and `sig`.
"""

import base64
import hmac
import time
from collections.abc import Callable
from urllib.parse import parse_qs, quote, unquote_to_bytes

from storage.errors import Forbidden, NotFound

PREFIX = "/media/"

GRACE_S = 60
"""Added to every lifetime, to allow for wrong clocks and slow clients (TMO-04)."""

SHARED_S = 60
"""Expiry times are rounded up to a multiple of this, so that reloading a page soon returns the same URLs."""

_SIGNATURE_BYTES = 16
_SHORTEST_SECRET = 16
_DOT_SEGMENTS = (".", "..")


def media_path(backend_id: str, object_id: str) -> str:
    """The path of an object below the base URL. The object id is one segment, with its slashes encoded.

    Clients would resolve the ids "." and ".." as relative paths, so these get the prefix "!", which is encoded in all
    other ids.
    """
    segment = quote(object_id, safe="", errors="surrogatepass")
    if segment in _DOT_SEGMENTS:
        segment = "!" + segment
    return f"{PREFIX}{backend_id}/{segment}"


def parse_media_path(path: str) -> tuple[str, str]:
    """The backend id and object id of a path as the client sent it (percent-encoded, without query).

    Slashes that a proxy has decoded count as part of the object id.
    Raises storage.errors.NotFound for a path that `media_path` cannot have made.
    """
    backend_id, slash, segment = path.removeprefix(PREFIX).partition("/")
    unknown = NotFound(f"path {path!r} is not the path of a media object")
    if not path.startswith(PREFIX) or not slash or not segment:
        raise unknown
    if segment.startswith("!") and segment[1:] in _DOT_SEGMENTS:
        return backend_id, segment[1:]
    encoded = segment.encode("utf-8", "surrogatepass")
    decoded = unquote_to_bytes(encoded)
    if len(encoded) - len(decoded) != 2 * encoded.count(b"%"):
        raise unknown
    try:
        return backend_id, decoded.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise unknown from None


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

    def check(self, method: str, path: str, query: str) -> str:
        """Check that `query` permits `method` on `path` now, and return the signed content type ("" if none was).

        Raises storage.errors.Forbidden for a wrong or incomplete signature, and after the expiry time.
        """
        try:
            fields = parse_qs(query, keep_blank_values=True, max_num_fields=20)
            expires, content_type, signature = (_single(fields, name) for name in ("exp", "ct", "sig"))
        except ValueError:
            raise Forbidden("the query of this presigned URL is malformed") from None
        wanted = self._signature(method, path, expires, content_type)
        if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "surrogatepass")):
            raise Forbidden(
                f"sig is not valid for {method} on this path: the presigned URL was changed or made for another method"
            )
        if int(expires) < self._clock():
            raise Forbidden(f"exp: this presigned URL expired at {expires} (Unix seconds)")
        return content_type

    def _signature(self, method: str, path: str, expires: str, content_type: str) -> str:
        keyed = self._keyed.copy()
        keyed.update(f"{method}\n{path}\n{expires}\n{content_type}".encode("utf-8", "surrogatepass"))
        return base64.urlsafe_b64encode(keyed.digest()[:_SIGNATURE_BYTES]).rstrip(b"=").decode()


def is_signed(query: str) -> bool:
    """Whether a query is meant to be that of a presigned URL. Its signature may still be wrong."""
    return "sig=" in query and "sig" in parse_qs(query, keep_blank_values=True)


def _single(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [""])
    if len(values) != 1:
        raise ValueError(name)
    return values[0]
