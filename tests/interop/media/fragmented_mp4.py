"""Fragmented MP4: an initialisation segment, and media segments that can only be decoded after it."""

import io
from collections.abc import Iterator
from fractions import Fraction

import av

from . import numbered

NTSC = Fraction(30000, 1001)
INIT_TYPE, MEDIA_TYPE = "video/mp4", "video/iso.segment"


def make(frames: int, gop: int, rate: Fraction = NTSC) -> tuple[bytes, list[bytes]]:
    """The initialisation segment, and a media segment for each `gop` numbered pictures."""
    target = io.BytesIO()
    flags = "frag_keyframe+empty_moov+default_base_moof+skip_trailer"
    with av.open(target, "w", format="mp4", options={"movflags": flags}) as output:
        numbered.encode(output, range(frames), rate, gop)
    init, media = b"", []
    for kind, box in _boxes(target.getvalue()):
        if kind in (b"ftyp", b"moov"):
            init += box
        elif kind == b"moof":
            media.append(box)
        elif kind == b"mdat":
            media[-1] += box
    return init, media


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type of each box at the top of a file, and the box itself (ISO/IEC 14496-12)."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at : at + size]
        at += size
