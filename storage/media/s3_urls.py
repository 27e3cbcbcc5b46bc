"""The presigned URLs of an S3 store: how long they are valid, and which of them are made once for many clients."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from storage.errors import Unavailable
from storage.media.object_store import STABLE_S, AllocationTerm
from storage.media.recent_urls import MOST_OF_PAGES, MOST_OF_PLAYLISTS, RecentUrls
from storage.media.sigv4 import LONGEST_S, Credentials, Presigner

_log = logging.getLogger(__name__)

GRACE_S = 60
"""Added to every lifetime, to allow for wrong clocks and slow clients (TMO-04)."""
SHARED_S = 60
"""Signing times are rounded down to a multiple of this, so that reloading a page soon returns the same URLs."""
LONGEST_TIMEOUT_S = LONGEST_S - GRACE_S - SHARED_S
"""The longest lifetime that can be configured, in seconds."""

_WARNING_INTERVAL_S = 60


class _Validity(NamedTuple):
    """When URLs are valid, and who signs them. start: in Unix time."""

    start: int
    lifetime_s: int
    credentials: Credentials


class S3Urls:
    """Makes the URLs of the objects in one bucket.

    credentials: returns those to sign with now. name: of the store, for messages. clock: returns Unix time in seconds.
    upload_timeout_s, download_timeout_s: lifetime in seconds, without the grace period (TMO-04); at most
    LONGEST_TIMEOUT_S (ValueError otherwise).
    """

    def __init__(
        self,
        presigner: Presigner,
        credentials: Callable[[], Credentials],
        name: str,
        *,
        upload_timeout_s: int,
        download_timeout_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if max(upload_timeout_s, download_timeout_s) > LONGEST_TIMEOUT_S:
            raise ValueError(f"presigned URLs are valid for at most {LONGEST_TIMEOUT_S} s")
        self._presigner = presigner
        self._credentials = credentials
        self._name = name
        self._upload_timeout_s = upload_timeout_s
        self._download_timeout_s = download_timeout_s
        self._clock = clock
        self._recent = {SHARED_S: RecentUrls(MOST_OF_PAGES), STABLE_S: RecentUrls(MOST_OF_PLAYLISTS)}
        self._warned = float("-inf")

    def plain(self, keys: Sequence[str]) -> list[str]:
        """The URLs of the objects with these keys, without signatures."""
        return [self._presigner.plain(key) for key in keys]

    def uploads(
        self, keys: Sequence[str], content_type: str, term: AllocationTerm | None, *, only_new: bool
    ) -> list[str]:
        """The URLs for PUT, signed now. term: as for ObjectStore.upload_requests. only_new: as for Presigner.signer.

        Raises storage.errors.Unavailable if there are no credentials that are still valid.
        """
        start, lifetime_s, credentials = self._validity(
            self._upload_timeout_s, math.inf if term is None else term.remaining_s
        )
        sign = self._presigner.signer(
            "PUT", lifetime_s, credentials, content_type=content_type, only_new=only_new, now=start
        )
        return [sign(key) for key in keys]

    def downloads(self, names: Sequence[str], key_of: Callable[[str], str], *, stable: bool = False) -> list[str]:
        """The URLs for GET of the objects with these names. key_of: returns the key of a name, always the same.

        stable: as for ObjectStore.download_urls.

        Raises storage.errors.Unavailable if there are no credentials that are still valid.
        """
        shared_s = STABLE_S if stable else SHARED_S
        validity = self._validity(self._download_timeout_s, shared_s=shared_s)

        def signer() -> Callable[[str], str]:
            sign = self._presigner.signer("GET", validity.lifetime_s, validity.credentials, now=validity.start)
            return lambda name: sign(key_of(name))

        return self._recent[shared_s].of(names, validity, signer)

    def _validity(self, timeout_s: int, most_s: float = math.inf, shared_s: int = SHARED_S) -> _Validity:
        """When a URL that is signed now is valid: for the timeout and a grace period, but for `most_s` seconds at most,
        and not longer than the credentials. shared_s: it starts at a multiple of this."""
        now = self._clock()
        start = int(now) // shared_s * shared_s
        credentials = self._credentials()
        end = min(start + shared_s + timeout_s + GRACE_S, start + LONGEST_S, now + most_s)
        if credentials.expires is not None and credentials.expires < end:
            end = credentials.expires
            self._check_credentials_last(end - now, timeout_s)
        return _Validity(start, max(int(end) - start, 1), credentials)

    def _check_credentials_last(self, left_s: float, timeout_s: int) -> None:
        """Raise Unavailable if the credentials have expired; log it if URLs expire early because of them."""
        if left_s < 1:
            raise Unavailable(f"{self._name} is unavailable: its temporary credentials have expired")
        if left_s < timeout_s and self._clock() - self._warned > _WARNING_INTERVAL_S:
            self._warned = self._clock()
            _log.warning(
                "%s: presigned URLs are valid for %d s only, not for %d: its temporary credentials expire",
                self._name,
                left_s,
                timeout_s,
            )
