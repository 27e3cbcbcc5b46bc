"""What makes two ingests the same: all bytes of the file, and the options that shape its flows."""

import hashlib
import os
import uuid
from collections.abc import Callable
from typing import Final

from tams_server.client_media.ingest_options import IngestOptions

_CHUNK: Final = 1 << 22


def ingest_key(options: IngestOptions, read: Callable[[int], None]) -> str:
    """Return what is the same for the same command on the same file, and for nothing else. Raises OSError.

    The whole file counts: recordings of one camera may have the same size, beginning and end. read: called with the
    number of bytes of each chunk.
    """
    if options.again or options.live or not os.path.isfile(options.name):
        return str(uuid.uuid4())
    digest = hashlib.blake2b(digest_size=32)
    with open(options.name, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            read(len(chunk))
    shape = (options.target, options.container, options.muxed, options.start, options.label)
    return f"{digest.hexdigest()} {shape!r}"
