"""Text with the character U+0000, which JSON allows and PostgreSQL cannot store.

The server keeps such text escaped, on every engine alike, from where it is read to where it is written: U+0000 becomes
U+FDD0 and "0", and U+FDD0 itself U+FDD0 and "1". Unicode reserves U+FDD0 for internal use, so that practically no other
text changes. Text is equal exactly when its escaped form is equal, so that filters and ids work as for any other text.
"""

from typing import Any

_NUL = "\0"
_MARK = "\ufdd0"
_ESCAPED_NUL = f"{_MARK}0"
_ESCAPED_MARK = f"{_MARK}1"
_ESCAPED_NUL_BYTES = _ESCAPED_NUL.encode()
_ESCAPED_MARK_BYTES = _ESCAPED_MARK.encode()
_MARK_BYTES = _MARK.encode()
_MARK_LEAD = _MARK_BYTES[0]
"""Few characters begin with this byte, and a single byte is found ten times as fast as several."""


def escape_nul(text: str) -> str:
    """Return the text as it is stored."""
    if _NUL in text or _MARK in text:
        return text.replace(_MARK, _ESCAPED_MARK).replace(_NUL, _ESCAPED_NUL)
    return text


def unescape_nul(text: str) -> str:
    """Return stored text as the client sent it."""
    if _MARK in text:
        return text.replace(_ESCAPED_NUL, _NUL).replace(_ESCAPED_MARK, _MARK)
    return text


def may_need_escape(raw: bytes | bytearray) -> bool:
    """Whether text in a JSON document may contain U+0000 or U+FDD0. raw: the document as it was sent, in UTF-8."""
    if b"\\" in raw and (b"\\u0000" in raw or b"\\ufdd0" in raw.lower()):
        return True
    return _MARK_LEAD in raw and _MARK_BYTES in raw


def escape_document(node: Any) -> Any:
    """Return a JSON document with all of its text, and all names of members, as they are stored."""
    if isinstance(node, str):
        return escape_nul(node)
    if isinstance(node, dict):
        return {escape_nul(name): escape_document(value) for name, value in node.items()}
    if isinstance(node, list):
        return [escape_document(item) for item in node]
    return node


def unescape_json(encoded: bytes) -> bytes:
    """Return a JSON document, encoded by orjson, with its text as clients sent it."""
    if _MARK_LEAD in encoded and _MARK_BYTES in encoded:
        return encoded.replace(_ESCAPED_NUL_BYTES, b"\\u0000").replace(_ESCAPED_MARK_BYTES, _MARK_BYTES)
    return encoded
