"""A process with the whole application but no network, which performs requests for tests.benchmarks.probe.

It is run as a script, with the checkout to be measured as the only place to import from. It reads commands as lines of
JSON from its standard input, and writes one line for each. A command has `method`, `path` and `body`, and:

times: how often to perform the request; the answer has wall and CPU milliseconds of each.
steps: whether to count the steps of SQLite's virtual machine, which no other load on the machine can change.
"""

import asyncio
import contextlib
import functools
import json
import logging
import os
import sqlite3
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

_connect = sqlite3.connect


class _Counting:
    """What makes the steps of a connection countable, even if the application sets a progress handler of its own."""

    connections: ClassVar["weakref.WeakSet[Any]"] = weakref.WeakSet()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "check_same_thread": False})
        self._theirs: tuple[Callable[[], Any] | None, int] = (None, 0)
        self.steps: int | None = None
        self.connections.add(self)

    def set_progress_handler(self, handler: Callable[[], Any] | None, n: int) -> None:
        self._theirs = (handler, n)
        self._apply()

    def count(self, on: bool) -> None:
        self.steps = 0 if on else None
        self._apply()

    def _apply(self) -> None:
        set_handler = super().set_progress_handler  # type: ignore[misc]
        if self.steps is None:
            set_handler(*self._theirs)
        else:
            set_handler(self._step, 1)

    def _step(self) -> int:
        assert self.steps is not None
        self.steps += 1
        handler, n = self._theirs
        return int(bool(handler())) if handler is not None and self.steps % n == 0 else 0


@functools.cache
def _countable(factory: type) -> type:
    return type("Connection", (_Counting, factory), {})


def _connect_countable(*args: Any, factory: type = sqlite3.Connection, **options: Any) -> Any:
    return _connect(*args, factory=_countable(factory), **options)


@contextlib.contextmanager
def _steps_counted() -> Iterator[Callable[[], int]]:
    for connection in list(_Counting.connections):
        connection.count(True)
    try:
        yield lambda: sum(connection.steps or 0 for connection in list(_Counting.connections))
    finally:
        for connection in list(_Counting.connections):
            connection.count(False)


class _Application:
    """The application and its event loop."""

    def __init__(self) -> None:
        from tams_server.app import create_app
        from tams_server.settings import load_settings
        from tams_server.wiring import prepare

        self._settings = load_settings(os.environ).settings
        prepare(self._settings)
        self._app = create_app(self._settings)
        self._loop = asyncio.new_event_loop()

    def perform(self, command: dict[str, Any]) -> dict[str, Any]:
        return self._loop.run_until_complete(self._measured(command))

    async def _measured(self, command: dict[str, Any]) -> dict[str, Any]:
        status, body = 0, b""
        headers: dict[str, str] = {}
        walls: list[float] = []
        cpus: list[float] = []
        counting = _steps_counted() if command.get("steps") else contextlib.nullcontext(lambda: 0)
        with counting as steps:
            for _ in range(command.get("times", 1)):
                wall, cpu = time.perf_counter(), time.process_time()
                status, headers, body = await self._request(command)
                cpus.append((time.process_time() - cpu) * 1000)
                walls.append((time.perf_counter() - wall) * 1000)
            counted = steps()
        return {
            "status": status,
            "headers": headers,
            "body": body.decode(),
            "wall_ms": walls,
            "cpu_ms": cpus,
            "steps": counted,
        }

    async def _request(self, command: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        path, _, query = command["path"].partition("?")
        sent = json.dumps(command["body"]).encode() if command.get("body") is not None else b""
        headers = [
            (b"host", b"tams.bench"),
            (b"authorization", f"Bearer {os.environ['BENCHMARK_TOKEN']}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(sent)).encode()),
        ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": command["method"],
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers if sent else headers[:2],
            "server": ("tams.bench", 80),
            "client": ("127.0.0.1", 1),
        }
        received = False
        never = asyncio.Event()
        status, response_headers, parts = 0, {}, []

        async def receive() -> dict[str, Any]:
            nonlocal received
            if received:
                await never.wait()
            received = True
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status, response_headers
            if message["type"] == "http.response.start":
                status = message["status"]
                response_headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, send)  # type: ignore[arg-type]
        return status, response_headers, b"".join(parts)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sqlite3.connect = sqlite3.dbapi2.connect = _connect_countable
    logging.disable(logging.INFO)
    application = _Application()
    for line in sys.stdin:
        answers.write(json.dumps(application.perform(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
