"""A server of connections that a test handles by itself."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serving_tcp(handler: type[socketserver.StreamRequestHandler]) -> Iterator[int]:
    """Handle each connection to a free port of loopback in a thread, during the block. Yields the port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
