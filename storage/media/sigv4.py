"""Presigned S3 URLs: AWS Signature Version 4 in the query of a URL.

The algorithm is in "Authenticating requests: using query parameters" of the Amazon S3 API reference. It is implemented
here for speed, since pages hold hundreds of URLs: all that depends only on the day and the credentials is computed
once, all that the URLs of a page have in common once a page, and a URL then costs one SHA-256 and one HMAC of a short
text.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from storage.media.keyed_hash import KeyedHash

LONGEST_S = 7 * 24 * 3600
"""The longest lifetime of a presigned URL, in seconds."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ALMOST_PLAIN = re.compile(r"[A-Za-z0-9._~/!-]*").fullmatch
"""Keys with nothing to encode but the "!" that most of them have (storage.media.s3_keys)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials that sign requests. The repr omits the secrets.

    session_token: only with temporary ones. expires: when they expire, in Unix time; None if they do not, or if that is
    unknown.
    """

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires: float | None = field(default=None, repr=False, compare=False)


class _Scope(NamedTuple):
    """What all URLs of one day, region and pair of keys have in common."""

    day: int
    credentials: Credentials
    key: KeyedHash
    text: str
    start: str
    token: str


class Presigner:
    """Makes URLs of the objects in one bucket.

    endpoint: scheme and host, optionally with port and path. virtual_host: the bucket is the first label of the host;
    otherwise it is the first segment of the path.
    """

    def __init__(self, endpoint: str, bucket: str, region: str, *, virtual_host: bool = False) -> None:
        parts = urlsplit(endpoint)
        host = parts.netloc
        base = parts.path.rstrip("/")
        if virtual_host:
            host = f"{bucket}.{host}"
        else:
            base += "/" + quote(bucket, safe="-._~")
        self._origin = f"{parts.scheme}://{host}"
        self._base = base
        name, colon, port = host.lower().rpartition(":")
        # Clients leave the default port of the scheme out of the Host header.
        self._host = name if colon and port == str(_DEFAULT_PORTS.get(parts.scheme)) else host.lower()
        self._region = region
        self._scope: _Scope | None = None

    def plain(self, key: str) -> str:
        """The URL of an object without a signature."""
        return f"{self._origin}{self._path(key)}"

    def signer(
        self,
        method: str,
        expires_s: int,
        credentials: Credentials,
        *,
        content_type: str = "",
        only_new: bool = False,
        now: float | None = None,
    ) -> Callable[[str], str]:
        """Return a function from a key to the URL that permits `method` ("GET" or "PUT") on the object for `expires_s`
        seconds.

        content_type: the Content-Type that the request must have; "" permits any.
        only_new: the request must have `If-None-Match: *` too. Only with a content type.
        now: start of the lifetime in Unix time, by default the current time.
        """
        moment = int(time.time() if now is None else now)
        scope = self._scope
        if scope is None or scope.day != moment // 86400 or scope.credentials != credentials:
            scope = self._scope = self._make_scope(moment, credentials)
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
        if content_type:
            value, name = ("if-none-match:*\n", ";if-none-match") if only_new else ("", "")
            type_ = " ".join(content_type.split())
            signed = f"content-type:{type_}\nhost:{self._host}\n{value}\ncontent-type;host{name}"
            names = f"content-type;host{name}".replace(";", "%3B")
        else:
            signed = f"host:{self._host}\n\nhost"
            names = "host"
        query = f"{scope.start}{date}&X-Amz-Expires={expires_s}"
        # The canonical form has the parameters sorted by name; the URL has the token last, as the SDKs do.
        end = f"\n{query}{scope.token}&X-Amz-SignedHeaders={names}\n{signed}\nUNSIGNED-PAYLOAD"
        url_end = f"?{query}&X-Amz-SignedHeaders={names}{scope.token}&X-Amz-Signature="
        hmac_of = scope.key.digest_after(f"{_ALGORITHM}\n{date}\n{scope.text}\n".encode())
        origin, path_of, sha256 = self._origin, self._path, hashlib.sha256

        def sign(key: str) -> str:
            path = path_of(key)
            digest = sha256(f"{method}\n{path}{end}".encode()).hexdigest()
            return f"{origin}{path}{url_end}{hmac_of(digest.encode()).hex()}"

        return sign

    def _path(self, key: str) -> str:
        encoded = key.replace("!", "%21") if _ALMOST_PLAIN(key) else quote(key, safe="-._~/")
        return f"{self._base}/{encoded}"

    def _make_scope(self, moment: int, credentials: Credentials) -> _Scope:
        day = time.strftime("%Y%m%d", time.gmtime(moment))
        key = f"AWS4{credentials.secret_key}".encode()
        for part in (day, self._region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = f"{day}/{self._region}/s3/aws4_request"
        credential = quote(f"{credentials.access_key}/{text}", safe="-._~")
        start = f"X-Amz-Algorithm={_ALGORITHM}&X-Amz-Credential={credential}&X-Amz-Date="
        token = credentials.session_token
        shown = f"&X-Amz-Security-Token={quote(token, safe='-._~')}" if token is not None else ""
        return _Scope(moment // 86400, credentials, KeyedHash(key), text, start, shown)
