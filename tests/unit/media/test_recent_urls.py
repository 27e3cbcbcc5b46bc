"""Signed URLs that are kept for a moment: always those that would be signed now."""

from collections.abc import Callable

from storage.media.recent_urls import RecentUrls


class Signer:
    """signed: the names that were signed, with their terms."""

    def __init__(self) -> None:
        self.signed: list[tuple[str, int]] = []

    def under(self, term: int) -> Callable[[], Callable[[str], str]]:
        def sign(name: str) -> str:
            self.signed.append((name, term))
            return f"{name}@{term}"

        return lambda: sign


def test_a_url_is_signed_once_a_term() -> None:
    recent, signer = RecentUrls(9), Signer()
    for term in (1, 2):
        assert recent.of(["a", "b"], term, signer.under(term)) == [f"a@{term}", f"b@{term}"]
        assert recent.of(["b", "c", "b"], term, signer.under(term)) == [f"b@{term}", f"c@{term}", f"b@{term}"]
    assert signer.signed == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("c", 2)]


def test_a_term_that_comes_back_is_signed_again() -> None:
    """Two threads may be on either side of a minute."""
    recent, signer = RecentUrls(9), Signer()
    for term in (1, 2, 1):
        assert recent.of(["a"], term, signer.under(term)) == [f"a@{term}"]
    assert signer.signed == [("a", 1), ("a", 2), ("a", 1)]


def test_the_urls_kept_are_limited() -> None:
    recent, signer = RecentUrls(3), Signer()
    for number in range(10):
        assert recent.of([f"{number}", "a"], 1, signer.under(1)) == [f"{number}@1", "a@1"]
        assert len(recent._recent[1]) <= 3 + 1
