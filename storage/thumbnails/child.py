"""The process that decodes one picture: `python -m storage.thumbnails.child`, with pipes to the server that starts it.

It reads a request and then media, no more of them than it needs, and writes the picture. Media come from clients, so
that before it reads any it gives up what it does not need: files, sockets, most of the memory and of the time.
Requests to the server go first (storage.precedence).
"""

import io
import resource
import sys

from storage.precedence import start_low, yield_to_requests
from storage.thumbnails.request import BEGUN, Answer, PictureRequest, encode_answer, read_request

_MEMORY_BYTES = 3 << 29
"""Address space: enough for 4K with all its reference pictures."""
_CPU_S = 10


def main() -> None:
    start_low()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    request = read_request(requests)
    try:
        from storage.thumbnails.picture import import_all
    except ModuleNotFoundError as error:
        answer = Answer("not-installed", str(error).encode())
        answers.write(BEGUN)
    else:
        import_all()
        yield_to_requests()
        _give_up_rights()
        answers.write(BEGUN)
        answers.flush()
        answer = _decode(request)
    requests.close()  # The server may still be sending, and reads the answer when it cannot.
    answers.write(encode_answer(answer))
    answers.flush()


def _decode(request: PictureRequest) -> Answer:
    from storage.thumbnails.picture import Undecodable, make_thumbnail

    requests = sys.stdin.buffer
    try:
        media = io.BytesIO(requests.read()) if request.format == "mp4" else requests
        return Answer("picture", make_thumbnail(media, request))
    except (Undecodable, MemoryError) as error:
        return Answer("undecodable", str(error).encode())


def _give_up_rights() -> None:
    """Have this process fail if it opens a file or a socket, writes to a file, or takes more memory or time."""
    limits = {
        resource.RLIMIT_AS: _MEMORY_BYTES,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))
    # Only with a second between them does the signal tell the limit from other ends of the process.
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 1))


if __name__ == "__main__":
    main()
