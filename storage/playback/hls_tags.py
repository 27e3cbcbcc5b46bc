"""Tags of flows and sources that say how they are played: `hls_exclude`, `hls_name` and the others."""

import re
from collections.abc import Mapping
from typing import Any, Final

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_NOT_PRINTABLE: Final = re.compile(r'["\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]')
"""Control characters must not be in playlists (RFC 8216, 4.1); separators of lines end one for some players. XML has no
place for halves of characters."""


def hls_tag(document: Mapping[str, Any], name: str) -> str:
    """The value of the tag hls_{name}, the first of several; "" without one. document: of a flow or source."""
    value = (document.get("tags") or {}).get(f"hls_{name}", "")
    return value if isinstance(value, str) else next(iter(value), "")


def is_language(text: str) -> bool:
    """Whether a text has the form of a language tag (RFC 5646)."""
    return _LANGUAGE.fullmatch(text) is not None


def printable(text: str) -> str:
    """A text as players may show it: short, on one line, without quotes."""
    return _NOT_PRINTABLE.sub(" ", text)[:200]
