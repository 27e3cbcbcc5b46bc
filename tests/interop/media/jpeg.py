"""Numbered pictures as JPEG files."""

import io

import av

from . import numbered

TYPE = "image/jpeg"


def make(number: int) -> bytes:
    """The picture with this number as a file."""
    target = io.BytesIO()
    with av.open(target, "w", format="image2pipe") as output:
        stream = output.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = numbered.WIDTH, numbered.HEIGHT, "yuvj420p"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(numbered.draw(number), format="yuv420p")))
        output.mux(stream.encode())
    return target.getvalue()


def read(media: bytes) -> int:
    """The number that a file shows."""
    with av.open(io.BytesIO(media), "r", format="jpeg_pipe") as file:
        [frame] = file.decode(video=0)
        return numbered.read(frame)
