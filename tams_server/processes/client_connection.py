"""What the parts of a connection need of it (tams_server.processes.connection)."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tams_server.processes.direct_socket import DirectSocket


class ClientConnection(Protocol):
    """A connection with a client.

    headers: of the request. body_bytes: of its body, as far as they have been parsed.
    """

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    flow: FlowControl
    body_bytes: int

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]: ...

    @property
    def expects_more(self) -> bool:
        """Whether the client may still be sending what it began: a body, or a request that was rejected."""
        ...

    def discard(self) -> None:
        """Read, and ignore, whatever still arrives."""

    def lend_socket(self) -> DirectSocket:
        """Return the socket for direct use. The borrower closes it."""
        ...

    def end_body(self, cycle: RequestResponseCycle) -> None:
        """Continue with the next request. The body of the present one has been read without the parser."""
