"""The URLs of a file store: requests to this server, which it answers itself."""

from collections.abc import Callable, Sequence

from storage.media.names import split_name
from storage.media.object_store import STABLE_S, AllocationTerm, DownloadUrls, UploadRequest
from storage.media.recent_urls import MOST_OF_PAGES, MOST_OF_PLAYLISTS, RecentUrls
from storage.media.signing import SHARED_S, UrlSigner, media_path, media_paths, signed_path
from storage.media.url_keys import UrlKeys


class FileUrls:
    """Makes the URLs of the objects on one storage backend, and checks their signatures.

    secret: signs URLs, as for UrlSigner.
    upload_timeout_s, download_timeout_s: lifetime of presigned URLs in seconds, without the grace period (TMO-04).
    """

    def __init__(
        self, backend_id: str, secret: bytes | UrlKeys, *, upload_timeout_s: int, download_timeout_s: int
    ) -> None:
        self._backend_id = backend_id
        self._signer = UrlSigner(secret)
        self.keys = self._signer.keys
        self._upload_timeout_s = upload_timeout_s
        self._download_timeout_s = download_timeout_s
        self._recent = {SHARED_S: RecentUrls(MOST_OF_PAGES), STABLE_S: RecentUrls(MOST_OF_PLAYLISTS)}

    def uploads(
        self,
        names: Sequence[str],
        content_type: str,
        *,
        presigned: bool,
        base_url: str,
        term: AllocationTerm | None,
    ) -> list[UploadRequest]:
        """The PUTs that upload the objects. term: as for ObjectStore.upload_requests."""
        path_of: Callable[[str], str] = self._path
        if presigned:
            path_of = self._with_query(
                self._signer.signer("PUT", self._signer.expiry(self._upload_timeout_s), content_type)
                if term is None
                else self._signer.upload_signer(self._upload_timeout_s, content_type, term)
            )
        return [UploadRequest(base_url + path_of(name), content_type, presigned) for name in names]

    def downloads(
        self, names: Sequence[str], *, presigned: bool | None, base_url: str, stable: bool = False
    ) -> DownloadUrls:
        """The URLs from which to read the objects. presigned, stable: as for ObjectStore.download_urls."""
        if presigned is False:
            return DownloadUrls([], [base_url + self._path(name) for name in names])
        shared_s = STABLE_S if stable else SHARED_S
        expires = self._signer.expiry(self._download_timeout_s, shared_s)
        term = (expires, self.keys.signing())
        paths = self._recent[shared_s].of(names, term, lambda: self._with_query(self._signer.signer("GET", expires)))
        signed = [base_url + path for path in paths]
        return DownloadUrls(signed, [] if presigned else [url.partition("?")[0] for url in signed])

    def check(self, method: str, object_id: str, query: str) -> str:
        """Check the query of a presigned URL, and return the content type it was signed for ("" for downloads).

        method: "GET" or "PUT". Raises storage.errors.Forbidden unless the signature permits the request now.
        """
        return self._signer.check(method, signed_path(self._backend_id, object_id), query)

    def _path(self, name: str) -> str:
        return media_path(self._backend_id, *split_name(name))

    def _with_query(self, query_of: Callable[[str], str]) -> Callable[[str], str]:
        """Return a function from a name to its path with a query. query_of: from the signed path to the query."""

        def path_of(name: str) -> str:
            path, signed = media_paths(self._backend_id, *split_name(name))
            return f"{path}?{query_of(signed)}"

        return path_of
