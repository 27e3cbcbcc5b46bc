"""P9: bytes of objects through the server's own media plane against nginx, and the memory that they take."""

import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.benchmarks.baselines.nginx import NginxMissing, nginx
from tests.benchmarks.client import Connection, request
from tests.benchmarks.frame import Options, Outcome, Sample, Skipped, Target, interleave, plain, ratio
from tests.benchmarks.precedence import STRONG, precedence
from tests.benchmarks.served import Served, own_server
from tests.conformance.kit.documents import flow

_MIB = 2**20
_CASES = {"8 MiB, 1 at a time": (8, 1, 16), "8 MiB, 16 at once": (8, 16, 32), "200 MiB": (200, 1, 1)}
"""Size in MiB, connections, and transfers in a round."""
_PUT, _GET = 0.6, 0.8
_MAX_MB = 137
_ROUNDS = 7
_TYPE = "video/mp2t"
_BUFFER = _MIB


def measure_media(options: Options) -> Iterator[Outcome]:
    """P9: the server syncs what it stores, nginx does not."""
    try:
        with nginx() as other:
            yield from _measure(other, options)
    except NginxMissing as missing:
        yield Skipped("P9", "PUT and GET, nginx", str(missing))


def _measure(other: Served, options: Options) -> Iterator[Outcome]:
    with (
        tempfile.TemporaryDirectory(prefix="tams-bench-") as folder,
        own_server(options.checkout, Path(folder)) as server,
    ):
        for case, (mib, connections, transfers) in _CASES.items():
            objects = _Objects(server, min(connections, transfers))
            paths = [f"/{mib}-{number}" for number in range(objects.count)]
            for method, targets, least in (("PUT", objects.allocate, _PUT), ("GET", objects.register, _GET)):
                rates = {
                    "server": partial(_rate, server, method, targets(), mib, transfers),
                    "nginx": partial(_rate, other, method, paths, mib, transfers),
                }
                with precedence(STRONG):
                    found = interleave(rates, _ROUNDS)
                target = Target(least, at_least=True)
                yield ratio("P9", f"{method} of {case}, nginx", "MB/s", found["server"], found["nginx"], target)
        resident = sum(psutil.Process(pid).memory_info().rss for pid in server.pids) / 10**6
        yield plain("P9", "memory of the process after that", "MB", Sample((resident,)), Target(_MAX_MB))


class _Objects:
    """New objects of a new flow."""

    def __init__(self, server: Served, count: int) -> None:
        document = flow()
        self.count = count
        self._server, self._path = server, f"/flows/{document['id']}"
        self._ids: list[str] = []
        server.send("PUT", self._path, document)

    def allocate(self) -> list[str]:
        """Targets of presigned URLs for PUT."""
        allocated = self._server.send("POST", f"{self._path}/storage", {"limit": self.count})["media_objects"]
        self._ids = [each["object_id"] for each in allocated]
        return [_target(each["put_url"]["url"]) for each in allocated]

    def register(self) -> list[str]:
        """Register segments, after which the objects cannot be replaced. Returns targets for GET."""
        items = [{"object_id": id_, "timerange": f"[{n}:0_{n + 1}:0)"} for n, id_ in enumerate(self._ids)]
        self._server.send("POST", f"{self._path}/segments", items)
        listed = self._server.send("GET", f"{self._path}/segments?presigned=true")
        return [_target(each["get_urls"][0]["url"]) for each in listed]


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _rate(server: Served, method: str, targets: Sequence[str], mib: int, transfers: int) -> float:
    """MB a second, with one thread and one connection for each target."""
    connections = server.connections(len(targets))
    body = memoryview(bytes(mib * _MIB))
    each = transfers // len(targets)
    began = time.perf_counter()
    with ThreadPoolExecutor(len(targets)) as pool:
        for future in [
            pool.submit(_transfer, connection, method, target, body, each)
            for connection, target in zip(connections, targets, strict=True)
        ]:
            future.result()
    return each * len(targets) * len(body) / 10**6 / (time.perf_counter() - began)


def _transfer(connection: Connection, method: str, target: str, body: memoryview, times: int) -> None:
    if method == "GET":
        sent = request("GET", target)
        buffer = bytearray(_BUFFER)
        for _ in range(times):
            connection.socket.sendall(sent)
            _discard(connection.socket, len(body), buffer)
        return
    head = request("PUT", target, "", b"", {"Content-Type": _TYPE}).replace(
        b"Content-Length: 0", b"Content-Length: %d" % len(body)
    )
    for _ in range(times):
        connection.socket.sendall(head)
        connection.socket.sendall(body)
        while not connection.receive():
            pass
        status = connection.take().status
        if status not in (200, 201, 204):
            raise RuntimeError(f"PUT {target}: status {status}")


def _discard(source: socket.socket, length: int, buffer: bytearray) -> None:
    """Read a response with a body of this length."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += source.recv(2048)
    top, _, start = head.partition(b"\r\n\r\n")
    if b" 200 " not in top.partition(b"\r\n")[0]:
        raise RuntimeError(top.decode())
    left = length - len(start)
    while left:
        read = source.recv_into(buffer)
        if not read:
            raise ConnectionError("the server has closed the connection")
        left -= read
