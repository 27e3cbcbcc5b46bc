"""How the file of an object ends: with the description of its bytes (JSON), its length, and a magic number."""

import json
import os
import struct

from storage import error_codes
from storage.media.object_store import DamagedObject, StoredObject

_MAGIC = b"TAMSobj1"
_FOOTER = struct.Struct(">Q8s")
_TAIL_BYTES = 4096


def description(object_id: str, stored: StoredObject) -> bytes:
    """What the file of an object ends with."""
    members = {"id": object_id, "size": stored.size, "content_type": stored.content_type, "etag": stored.etag}
    if stored.checksum is not None:
        members["checksum"] = stored.checksum
    text = json.dumps(members).encode("ascii")
    return text + _FOOTER.pack(len(text), _MAGIC)


def read_description(fd: int, file_size: int) -> tuple[str, StoredObject]:
    """The id of the object in a file, and what it is. file_size: of the whole file, in bytes.

    Raises: DamagedObject; OSError.
    """
    damaged = DamagedObject(
        "the file of the object is damaged: it does not end with the description of an object", code=error_codes.DAMAGED
    )
    tail = os.pread(fd, _TAIL_BYTES, max(file_size - _TAIL_BYTES, 0))
    if len(tail) < _FOOTER.size:
        raise damaged
    length, magic = _FOOTER.unpack(tail[-_FOOTER.size :])
    size = file_size - length - _FOOTER.size
    if magic != _MAGIC or size < 0:
        raise damaged
    if length + _FOOTER.size > len(tail):
        tail = os.pread(fd, length + _FOOTER.size, size)
    try:
        members = json.loads(tail[-_FOOTER.size - length : -_FOOTER.size])
        modified = os.fstat(fd).st_mtime_ns // 1000
        stored = StoredObject(
            members["size"], members["content_type"], members["etag"], modified, members.get("checksum")
        )
        object_id: str = members["id"]
    except (ValueError, KeyError, TypeError):
        raise damaged from None
    if stored.size != size:
        raise damaged
    return object_id, stored
