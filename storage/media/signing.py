"""URLs of the embedded media store: their path, and the signature that lets a client use one without credentials.

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
"""Added to every lifetime, so that clocks and slow clients do not cut it short (TMO-04)."""

SHARED_S = 60
"""Expiries are rounded up to a multiple of this, so that the URLs of one page, asked for again, are the same."""

_SIGNATURE_BYTES = 16
_SHORTEST_SECRET = 16
_DOT_SEGMENTS = (".", "..")


def media_path(backend_id: str, object_id: str) -> str:
    """The path of an object below the base URL; the object id is one segment, its slashes encoded.

    The ids "." and ".." are marked by a "!", which no other id shows unencoded: clients would resolve them away.
    """
    segment = quote(object_id, safe="", errors="surrogatepass")
    if segment in _DOT_SEGMENTS:
        segment = "!" + segment
    return f"{PREFIX}{backend_id}/{segment}"


def parse_media_path(path: str) -> tuple[str, str]:
    """The backend id and object id of a path as the client sent it (percent-encoded, without query).

    Slashes that a proxy has decoded are taken as part of the object id.
    Raises storage.errors.NotFound for anything that cannot be the path of an object.
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
    """Makes and checks signatures over method, path, expiry and content type (HMAC-SHA256, cut to 128 bits).

    secret: at least 16 bytes, the same in every process that serves the store. Raises ValueError for a shorter one.
    clock: Unix time in seconds.
    """

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        if len(secret) < _SHORTEST_SECRET:
            raise ValueError(f"the secret that signs media URLs has {len(secret)} bytes; at least 16 are needed")
        self._clock = clock
        # A key of its own, so that the secret may serve other purposes too.
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
        """The content type that was signed ("" where none was), if `query` permits `method` on `path` now.

        Raises storage.errors.Forbidden for a wrong or incomplete signature and after the expiry.
        """
        try:
            fields = parse_qs(query, keep_blank_values=True, max_num_fields=20)
            expires, content_type, signature = (_single(fields, name) for name in ("exp", "ct", "sig"))
        except ValueError:
            raise Forbidden("the query of this presigned URL is malformed") from None
        wanted = self._signature(method, path, expires, content_type)
        if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "surrogatepass")):
            raise Forbidden(
                f"sig does not permit {method} here: the presigned URL was changed, or made for another method"
            )
        if int(expires) < self._clock():
            raise Forbidden(f"exp: this presigned URL expired at {expires} (Unix seconds)")
        return content_type

    def _signature(self, method: str, path: str, expires: str, content_type: str) -> str:
        keyed = self._keyed.copy()
        keyed.update(f"{method}\n{path}\n{expires}\n{content_type}".encode("utf-8", "surrogatepass"))
        return base64.urlsafe_b64encode(keyed.digest()[:_SIGNATURE_BYTES]).rstrip(b"=").decode()


def is_signed(query: str) -> bool:
    """Whether a query claims to be that of a presigned URL."""
    return "sig=" in query and "sig" in parse_qs(query, keep_blank_values=True)


def _single(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [""])
    if len(values) != 1:
        raise ValueError(name)
    return values[0]
