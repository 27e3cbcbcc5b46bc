"""The process that decodes one picture: `python -m storage.thumbnails.child`, with pipes to the server that starts it.

It reads a request and then media, no more of them than it needs, and writes the picture. Media come from clients, so
that before it reads any it gives up what it does not need: files, sockets, most of the memory and of the time.
"""

import io
import resource
import sys

from storage.thumbnails.request import encode_answer, read_request

_MEMORY_BYTES = 3 << 29
"""Address space: enough for 4K with all its reference pictures."""
_CPU_S = 10


def main() -> None:
    requests = sys.stdin.buffer
    request = read_request(requests)
    try:
        from storage.thumbnails.picture import Undecodable, import_all, make_thumbnail
    except ModuleNotFoundError as error:
        answer = encode_answer(b"", "not-installed", str(error))
    else:
        import_all()
        _give_up_rights()
        try:
            media = io.BytesIO(requests.read()) if request.format == "mp4" else requests
            answer = encode_answer(make_thumbnail(media, request))
        except (Undecodable, MemoryError) as error:
            answer = encode_answer(b"", "undecodable", str(error))
    requests.close()  # The server may still be sending, and reads the answer when it cannot.
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def _give_up_rights() -> None:
    """Have this process fail if it opens a file or a socket, writes to a file, or takes more memory or time."""
    limits = {
        resource.RLIMIT_AS: _MEMORY_BYTES,
        resource.RLIMIT_CPU: _CPU_S,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main()
