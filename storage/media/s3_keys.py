"""The keys under which an S3 store keeps objects: prefix and object id, as far as S3 stores can address the id.

Most ids stand in their key as they are. What some store refuses, resolves away or joins with other keys is written so:

- `!`, backslashes, lone surrogates and what XML cannot hold (control characters, U+FFFE, U+FFFF): `!XX` for each
  byte of UTF-8, in hexadecimal
- a dot at the start of a segment (between slashes): `!2E`; an empty segment: `!`
- a segment of more than 255 bytes: in pieces, as segments of their own, each but the last with a `!` at its end
- an id whose key would be longer than 1024 bytes even so: `!!` and the SHA-256 of the id

Different ids have different keys, and all but those of the last kind can be read back.
"""

import hashlib
import re

KEY_BYTES = 1024
"""The longest key, in bytes of UTF-8 (S3)."""
_SEGMENT_BYTES = 255
"""The longest name of a file, which is what stores make of a segment."""

_ODD = re.compile("[\x00-\x1f\x7f-\x9f!\\\\\ud800-\udfff\ufffe\uffff]")
_ESCAPE = re.compile("((?:![0-9A-F]{2})+)")
_PIECE = re.compile("(?:![0-9A-F]{2}|[^!]){1,60}")
"""At most 60 characters of at most 4 bytes, so that the mark at the end has room; an escape is one of three bytes."""
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}").fullmatch


def key_of(prefix: str, object_id: str) -> str:
    """The key of an object. prefix: at most 900 bytes, without segments that would need an escape."""
    if _PLAIN(object_id):
        return prefix + object_id
    key = prefix + "/".join(_segment(segment) for segment in object_id.split("/"))
    if len(key.encode()) > KEY_BYTES:
        return f"{prefix}!!{hashlib.sha256(_bytes(object_id)).hexdigest()}"
    return key


def id_of(prefix: str, key: str) -> str | None:
    """The id of the object that has this key; None where no object has it, or the key does not tell which."""
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
    object_id = _ESCAPE.sub(_unescaped, "/".join(segments))
    return object_id if key_of(prefix, object_id) == key else None


def _segment(segment: str) -> str:
    escaped = _undotted(_ODD.sub(_escaped, segment))
    if len(escaped.encode()) > _SEGMENT_BYTES:
        return "!/".join(_undotted(piece) for piece in _PIECE.findall(escaped))
    return escaped or "!"


def _undotted(segment: str) -> str:
    return "!2E" + segment[1:] if segment.startswith(".") else segment


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"!{byte:02X}" for byte in _bytes(match[0]))


def _unescaped(match: re.Match[str]) -> str:
    # Marks that stand for no text are kept: `id_of` then sees that no id has such a key.
    try:
        return bytes.fromhex(match[1].replace("!", "")).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return match[1]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
