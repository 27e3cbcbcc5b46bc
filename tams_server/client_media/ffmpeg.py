"""FFmpeg's libraries in this process: their messages, and what they can read."""

import av
import av.logging


def silence() -> None:
    """Keep FFmpeg's own messages, which are of no use without its source, off the terminal. Errors are raised."""
    av.logging.set_level(av.logging.PANIC)
