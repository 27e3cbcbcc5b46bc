"""URLs that cannot be connected to, each in a different way, and a socket that proves that nobody connects."""

import contextlib
import socket
from collections.abc import Iterator

HOST = "127.0.0.1"


def bound_socket(port: int) -> socket.socket:
    """Return a TCP socket bound to this port of 127.0.0.1; 0: a free one. It does not listen yet."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


@contextlib.contextmanager
def refusing_url() -> Iterator[str]:
    """A URL at which connections are refused."""
    with contextlib.closing(bound_socket(0)) as held:
        yield f"http://{HOST}:{held.getsockname()[1]}/hook"


@contextlib.contextmanager
def unaccepting_url() -> Iterator[str]:
    """A URL whose connections are established by the system but never accepted or read."""
    with contextlib.closing(bound_socket(0)) as listener:
        listener.listen(16)
        yield f"http://{HOST}:{listener.getsockname()[1]}/hook"


@contextlib.contextmanager
def silent_url() -> Iterator[str]:
    """A URL whose connections are never established: the backlog is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(bound_socket(0)))
        listener.listen(0)
        for _ in range(64):
            waiting = stack.enter_context(contextlib.closing(socket.socket()))
            waiting.settimeout(0.2)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                break
        yield f"http://{HOST}:{listener.getsockname()[1]}/hook"


class Listener:
    """A listening socket that counts connections, to prove that there are none."""

    def __init__(self) -> None:
        self._socket = bound_socket(0)
        self._socket.listen(16)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]

    def connections(self) -> int:
        """Return the number of connections since the last call, including those that nobody accepted yet."""
        found = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.accept()[0].close()
                found += 1
        return found

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
