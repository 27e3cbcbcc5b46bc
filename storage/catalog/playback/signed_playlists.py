"""Signed URLs of playlists that playlists name, for players that send no credential of their own.

Such a URL permits one thing, to read one playlist, as presigned URLs permit to read one object. It is signed with the
same keys, and ends with the query `exp` (Unix seconds) and `sig`.
"""

import re
import time
from collections.abc import Callable
from typing import Final

from storage import error_codes
from storage.errors import Forbidden
from storage.media.object_store import STABLE_S
from storage.media.signing import UrlSigner
from storage.media.url_keys import UrlKeys

LIFETIME_S: Final = 12 * 3600
"""Players read the playlists of a live programme again and again, but not the one that names them."""
_SIGNED: Final = re.compile(r"((?:[^&]+&)*)(exp=[0-9]{1,12}&sig=[A-Za-z0-9_-]+)")


def playlist_path(flow_id: str) -> str:
    """The path of a flow's playlist below the base path of the server."""
    return f"/flows/{flow_id}/output.m3u8"


class SignedPlaylists:
    """Makes and checks signed URLs. keys: None if there are none to be made. clock: returns Unix time in seconds."""

    def __init__(self, keys: UrlKeys | None, clock: Callable[[], float] = time.time) -> None:
        codes = {"invalid": error_codes.PLAYLIST_URL_INVALID, "expired": error_codes.PLAYLIST_URL_EXPIRED}
        self._signer = None if keys is None else UrlSigner(keys, clock, **codes)

    def signed_query(self, path: str, query: str) -> str:
        """Return the query of a playlist with a signature, or as it is if there are no keys.

        path: below the base path of the server. query: encoded.
        """
        if self._signer is None:
            return query
        begin = f"{query}&" if query else ""
        signature = self._signer.signer("GET", self._signer.expiry(LIFETIME_S, STABLE_S))
        return begin + signature(f"{path}?{begin}")

    def relative_uri(self, flow_id: str, query: str) -> str:
        """Return the signed URI of a flow's playlist, relative to the playlist of any flow or source."""
        return f"../..{self._signed(playlist_path(flow_id), query)}"

    def absolute_url(self, base_url: str, path: str, query: str) -> str:
        """Return the signed URL of a playlist. base_url: origin and base path of this server."""
        return f"{base_url}{self._signed(path, query)}"

    def _signed(self, path: str, query: str) -> str:
        full_query = self.signed_query(path, query)
        return f"{path}{'?' if full_query else ''}{full_query}"

    def check(self, path: str, query: str) -> None:
        """Check that a query, as the client sent it, ends with a signature that permits to read this path now.

        May wait for the catalogue. Raises storage.errors.Forbidden.
        """
        parts = _SIGNED.fullmatch(query)
        if self._signer is None or parts is None:
            raise Forbidden(
                "sig: this server has not made such a URL of a playlist", code=error_codes.PLAYLIST_URL_INVALID
            )
        if self._signer.keys.need_renewal():
            self._signer.keys.renew()
        self._signer.check("GET", f"{path}?{parts[1]}", parts[2])
