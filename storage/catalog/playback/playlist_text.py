"""The text of a playlist or manifest, with what its response says about it."""

from dataclasses import dataclass

from storage.preconditions import digest


@dataclass(frozen=True, slots=True)
class PlaylistText:
    """content: in UTF-8. digest: of it, as `storage.preconditions.digest` returns it.

    is_settled: whether nothing is going to change it: it is complete, and has been so for a while.
    """

    content: bytes
    digest: str
    is_settled: bool

    def __len__(self) -> int:
        return len(self.content)


def playlist_text(text: str, *, is_settled: bool) -> PlaylistText:
    """A text with its digest. is_settled: as in PlaylistText."""
    content = text.encode()
    return PlaylistText(content, digest(content), is_settled)
