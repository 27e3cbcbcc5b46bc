"""URLs of FileStore: their path, and the signature with which a client needs no credentials.

A presigned URL is the plain one with the query `exp` (Unix seconds), `sig` and, for uploads, `at` (the allocation) and
`ct` (the content type). The signature is that of the path without the extension, so that it names the object.
"""

import binascii
import functools
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qs, quote, unquote_to_bytes

from storage import error_codes
from storage.error_codes.code import ErrorCode
from storage.errors import Forbidden, NotFound
from storage.media.names import EXTENSIONS
from storage.media.object_store import STABLE_S, AllocationTerm
from storage.media.url_keys import UrlKey, UrlKeys

PREFIX = "/media/"

GRACE_S = 60
"""Added to every lifetime, to allow for wrong clocks and slow clients (TMO-04)."""

SHARED_S = 60
"""Expiry times are rounded up to a multiple of this, so that reloading a page soon returns the same URLs."""

MARGIN_S = GRACE_S + STABLE_S
"""How many seconds longer than its lifetime a URL is valid at most."""

_SIGNATURE_BYTES = 16
_DOT_SEGMENTS = (".", "..")
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*").fullmatch
"""Ids with nothing to encode, as most are."""
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def media_path(backend_id: str, object_id: str, extension: str = "") -> str:
    """The path of an object below the base URL: its id as one segment, with slashes encoded, and the extension.

    A segment that could be misread has the prefix "!", which is encoded in all ids: the ids "." and "..", which clients
    would resolve as relative paths, and ids that end in a known extension themselves.
    """
    return media_paths(backend_id, object_id, extension)[0]


def signed_path(backend_id: str, object_id: str) -> str:
    """The path that signatures of an object's URLs cover, whatever the extension."""
    return media_paths(backend_id, object_id, "")[1]


def media_paths(backend_id: str, object_id: str, extension: str) -> tuple[str, str]:
    """The `media_path` and the `signed_path` of an object."""
    segment = object_id if _PLAIN(object_id) else quote(object_id, safe="", errors="surrogatepass")
    folder = f"{PREFIX}{backend_id}/"
    signed = f"{folder}!{segment}" if segment in _DOT_SEGMENTS else folder + segment
    if extension:
        return f"{folder}{segment}{extension}", signed
    return (signed if _without_extension(object_id) is None else f"{folder}!{segment}"), signed


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
    unknown = NotFound(f"path {path!r} is not the path of a media object", code=error_codes.MEDIA_NOT_FOUND)
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

    secret: the key or keys, the same in every process that serves the store; a key has at least 16 bytes (ValueError
    otherwise). clock: returns Unix time in seconds. invalid, expired: the codes of errors in such URLs.
    """

    def __init__(
        self,
        secret: bytes | UrlKeys,
        clock: Callable[[], float] = time.time,
        *,
        invalid: ErrorCode = error_codes.MEDIA_URL_INVALID,
        expired: ErrorCode = error_codes.MEDIA_URL_EXPIRED,
    ) -> None:
        self._clock = clock
        self._invalid, self._expired = invalid, expired
        self.keys = secret if isinstance(secret, UrlKeys) else UrlKeys([UrlKey(secret)])

    def expiry(self, lifetime_s: int, shared_s: int = SHARED_S) -> int:
        """The Unix time at which a URL expires that is to be valid for at least `lifetime_s` seconds from now.

        shared_s: the time is a multiple of this.
        """
        earliest = int(self._clock()) + lifetime_s + GRACE_S
        return -(-earliest // shared_s) * shared_s

    def signer(self, method: str, expires: int, content_type: str = "") -> Callable[[str], str]:
        """Return a function from a path to the query that permits `method` ("GET" or "PUT") on it until `expires`."""
        type_ = f"&ct={quote(content_type, safe='/')}" if content_type else ""
        return self._signer(method, f"exp={expires}{type_}", f"{expires}\n{content_type}")

    def upload_signer(self, lifetime_s: int, content_type: str, term: AllocationTerm) -> Callable[[str], str]:
        """Return a function from a path to the query that permits a PUT on it within the allocation.

        lifetime_s: for how many seconds, besides a grace period, it does so at most. The expiry is not rounded. The
        query names the allocation, so that it does not permit an upload to a later one of the same id.
        """
        expires = int(self._clock() + min(lifetime_s + GRACE_S, term.remaining_s))
        start = f"exp={expires}&at={term.created}&ct={quote(content_type, safe='/')}"
        return self._signer("PUT", start, f"{expires}\n{content_type}\n{term.created}")

    def _signer(self, method: str, query: str, signed: str) -> Callable[[str], str]:
        """query: without the signature. signed: what is signed after the path."""
        mac_of, end = self.keys.signing().keyed.digest_after(f"{method}\n".encode()), f"\n{signed}"
        start = f"{query}&sig="
        return lambda path: start + _text_of(mac_of((path + end).encode("utf-8", "surrogatepass")))

    def check(self, method: str, path: str, query: str) -> str:
        """Check that `query` permits `method` on `path` now, and return the signed content type ("" if none was).

        Raises storage.errors.Forbidden for a wrong or incomplete signature, and after the expiry time.
        """
        invalid, expired = self._invalid, self._expired
        try:
            fields = _fields(query)
            expires, content_type, allocated, signature = (_single(fields, name) for name in ("exp", "ct", "at", "sig"))
        except ValueError:
            raise Forbidden("the query of this presigned URL is malformed", code=invalid) from None
        last = f"\n{allocated}" if allocated else ""
        message = f"{method}\n{path}\n{expires}\n{content_type}{last}".encode("utf-8", "surrogatepass")
        given = signature.encode("utf-8", "surrogatepass")
        wanted = (_text_of(key.keyed.digest(message)).encode() for key in self.keys.accepted())
        if not any(hmac.compare_digest(each, given) for each in wanted):
            raise Forbidden(
                f"sig is not valid for {method} on this path: the presigned URL was changed or made for another method",
                code=invalid,
            )
        if int(expires) < self._clock():
            raise Forbidden(f"exp: this presigned URL expired at {expires} (Unix seconds)", code=expired)
        return content_type


def _text_of(mac: bytes) -> str:
    """The signature as text (base64url, without padding)."""
    return binascii.b2a_base64(mac[:_SIGNATURE_BYTES], newline=False).translate(_TO_URL_SAFE).rstrip(b"=").decode()


def is_signed(query: str) -> bool:
    """Whether a query is meant to be that of a presigned URL. Its signature may still be wrong."""
    try:
        return "sig=" in query and "sig" in _fields(query)
    except ValueError:  # too many fields
        return "sig" in parse_qs(query, keep_blank_values=True)


def allocation_of(query: str) -> int | None:
    """The allocation that the checked query of an upload names: its time in microseconds. None if it names none."""
    allocated = _fields(query).get("at")
    return int(allocated[0]) if allocated and allocated[0] else None


@functools.lru_cache(maxsize=32)
def _fields(query: str) -> Mapping[str, Sequence[str]]:
    """The values in a query by name. Kept, as each request needs them several times. Raises ValueError.

    Few are kept: a query of 16 KiB takes 32 KiB.
    """
    return parse_qs(query, keep_blank_values=True, max_num_fields=20)


def _single(fields: Mapping[str, Sequence[str]], name: str) -> str:
    values = fields.get(name, [""])
    if len(values) != 1:
        raise ValueError(name)
    return values[0]
