"""The keys of objects in an S3 bucket: a prefix, the object id, and the extension if the name has one.

Most ids are part of the key unchanged. What some S3 store rejects, resolves or confuses with other keys is escaped:

- `!`, backslashes, lone surrogates and characters that XML cannot hold (control characters, U+FFFE, U+FFFF): `!XX`,
  in hexadecimal, for each byte of UTF-8
- a dot at the start of a segment (between slashes): `!2E`; an empty segment: `!`
- a segment of more than 255 bytes: split into several segments, each but the last with a `!` at its end
- an id whose key would have more than 1024 bytes, or one of at most 400 bytes whose key would have more than 1250
  characters in a URL: `!!` and the SHA-256 of the id
- an extension: `!ts/` before the key of the id and `.ts` after it, so that it is not the key of an id that ends in it

Different names have different keys. All keys but those of the last kind can be decoded.
"""

import hashlib
import re
from urllib.parse import quote

from storage.media.names import split_name, stored_name

KEY_BYTES = 1024
"""The longest key, in bytes of UTF-8 (S3)."""
_URL_CHARACTERS = 1250
"""The longest key without prefix, percent-encoded: some clients reject URLs of 2,048 characters or more."""
_SHORT_ID_BYTES = 400
"""Longer ids, which are not allocated any more, keep the keys under which earlier releases stored them."""
_SEGMENT_BYTES = 255
"""The longest file name: stores on file systems turn segments into file names."""

_ODD = re.compile("[\x00-\x1f\x7f-\x9f!\\\\\ud800-\udfff\ufffe\uffff]")
_ESCAPE = re.compile("((?:![0-9A-F]{2})+)")
_PIECE = re.compile("(?:![0-9A-F]{2}|[^!]){1,60}")
"""At most 60 characters of at most 4 bytes each, which leaves room for the `!`; an escape counts as one character."""
_EXTENDED = re.compile(r"!([0-9a-z]*[a-z][0-9a-z]*)/(.+)\.\1", re.DOTALL).fullmatch
"""The key of a name with an extension. Its first segment is no other: escapes have no lower-case letters."""
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}").fullmatch


def key_of(prefix: str, name: str) -> str:
    """The key of an object. prefix: at most 900 bytes, without segments that need escaping."""
    object_id, extension = split_name(name)
    if extension:
        prefix = f"{prefix}!{extension[1:]}/"
    if _PLAIN(object_id):
        return prefix + object_id + extension
    *folders, last = object_id.split("/")
    segments = [_segment(folder) for folder in folders] + [_segment(last, _SEGMENT_BYTES - len(extension))]
    key = prefix + "/".join(segments) + extension
    is_short = len(_bytes(object_id)) <= _SHORT_ID_BYTES
    url_characters = len(quote(key[len(prefix) :], safe="-._~/")) if is_short else 0
    if len(key.encode()) > KEY_BYTES or url_characters > _URL_CHARACTERS:
        return f"{prefix}!!{hashlib.sha256(_bytes(object_id)).hexdigest()}{extension}"
    return key


def id_of(prefix: str, key: str) -> str | None:
    """The name of the object with this key; None if none has this key or if the key only has a hash of its id."""
    if not key.startswith(prefix):
        return None
    encoded, extension = key[len(prefix) :], ""
    if match := _EXTENDED(encoded):
        extension, encoded = f".{match[1]}", match[2]
    segments: list[str] = []
    begun = ""
    for segment in encoded.split("/"):
        if len(segment) > 1 and segment.endswith("!"):
            begun += segment[:-1]
        else:
            segments.append("" if segment == "!" and not begun else begun + segment)
            begun = ""
    name = stored_name(_ESCAPE.sub(_unescape, "/".join(segments)), extension)
    return name if key_of(prefix, name) == key else None


def _segment(segment: str, most: int = _SEGMENT_BYTES) -> str:
    escaped = _escape_dot(_ODD.sub(_escape_match, segment))
    if len(escaped.encode()) > most:
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
