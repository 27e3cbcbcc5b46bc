"""URLs that were signed a moment ago, kept for the many clients that read the same pages or playlists of a flow."""

from collections.abc import Callable, Hashable, Sequence

MOST_OF_PAGES = 4096
"""URLs of one store in one process, more or less a page. Those of S3 take about 3 MB."""
MOST_OF_PLAYLISTS = 20_000
"""As many as a playlist has. Those of S3 take about 15 MB."""


class RecentUrls:
    """Signed URLs by the name of the object. Safe to share between threads, which at worst sign the same URL twice.

    most: how many are kept, more or less the objects of one call.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._recent: tuple[Hashable, dict[str, str]] = (None, {})

    def of(self, names: Sequence[str], term: Hashable, signer: Callable[[], Callable[[str], str]]) -> list[str]:
        """Return the URLs of these objects, in order. Those that are not known are signed.

        term: all that URLs depend on besides the name, such as their expiry and the credentials. URLs of another term
        are forgotten. signer: returns the function that signs the URL of a name for this term.
        """
        known_term, urls = self._recent
        if known_term != term or len(urls) >= self._most:
            urls = {}
            self._recent = (term, urls)
        unknown = [name for name in names if name not in urls]
        if unknown:
            sign = signer()
            for name in unknown:
                urls[name] = sign(name)
        return [urls[name] for name in names]
