"""The keys of objects in an S3 bucket: a prefix and the object id.

Most ids are part of the key unchanged. What some S3 store rejects, resolves or confuses with other keys is escaped:

- `!`, backslashes, lone surrogates and characters that XML cannot hold (control characters, U+FFFE, U+FFFF): `!XX`,
  in hexadecimal, for each byte of UTF-8
- a dot at the start of a segment (between slashes): `!2E`; an empty segment: `!`
- a segment of more than 255 bytes: split into several segments, each but the last with a `!` at its end
- an id whose key would still be longer than 1024 bytes: `!!` and the SHA-256 of the id

Different ids have different keys. All keys but those of the last kind can be decoded.
"""

import hashlib
import re

KEY_BYTES = 1024
"""The longest key, in bytes of UTF-8 (S3)."""
_SEGMENT_BYTES = 255
"""The longest file name: stores on file systems turn segments into file names."""

_ODD = re.compile("[\x00-\x1f\x7f-\x9f!\\\\\ud800-\udfff\ufffe\uffff]")
_ESCAPE = re.compile("((?:![0-9A-F]{2})+)")
_PIECE = re.compile("(?:![0-9A-F]{2}|[^!]){1,60}")
"""At most 60 characters of at most 4 bytes each, which leaves room for the `!`; an escape counts as one character."""
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}").fullmatch


def key_of(prefix: str, object_id: str) -> str:
    """The key of an object. prefix: at most 900 bytes, without segments that need escaping."""
    if _PLAIN(object_id):
        return prefix + object_id
    key = prefix + "/".join(_segment(segment) for segment in object_id.split("/"))
    if len(key.encode()) > KEY_BYTES:
        return f"{prefix}!!{hashlib.sha256(_bytes(object_id)).hexdigest()}"
    return key


def id_of(prefix: str, key: str) -> str | None:
    """The id of the object with this key; None if no id has this key or if the key only has a hash of it."""
    if not key.startswith(prefix):
        return None
    segments: list[str] = []
    begun = ""
    for segment in key[len(prefix) :].split("/"):
        if len(segment) > 1 and segment.endswith("!"):
            begun += segment[:-1]
        else:
            segments.append("" if segment == "!" and not begun else begun + segment)
            begun = ""
    object_id = _ESCAPE.sub(_unescape, "/".join(segments))
    return object_id if key_of(prefix, object_id) == key else None


def _segment(segment: str) -> str:
    escaped = _escape_dot(_ODD.sub(_escape_match, segment))
    if len(escaped.encode()) > _SEGMENT_BYTES:
        return "!/".join(_escape_dot(piece) for piece in _PIECE.findall(escaped))
    return escaped or "!"


def _escape_dot(segment: str) -> str:
    return "!2E" + segment[1:] if segment.startswith(".") else segment


def _escape_match(match: re.Match[str]) -> str:
    return "".join(f"!{byte:02X}" for byte in _bytes(match[0]))


def _unescape(match: re.Match[str]) -> str:
    # Escapes that are not UTF-8 are kept; `id_of` then finds that no id has this key.
    try:
        return bytes.fromhex(match[1].replace("!", "")).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return match[1]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
