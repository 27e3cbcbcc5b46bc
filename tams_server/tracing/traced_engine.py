"""An engine whose transactions are spans."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from storage.tables.engine import Engine
from storage.tables.transaction import Reader, Writer
from tams_server.tracing.tracing import Tracing

T = TypeVar("T")


class TracedEngine(Engine):
    """Does what another engine does. Spans are called `catalogue read` and `catalogue write`."""

    def __init__(self, engine: Engine, tracing: Tracing) -> None:
        self._inner = engine
        self._tracing = tracing
        self._attributes = {"tams.engine": type(engine).__name__}
        self.own_check = engine.own_check
        self.reads_at_once = engine.reads_at_once
        self.needs_derived_columns = engine.needs_derived_columns

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._tracing.part("catalogue read", self._attributes), self._inner.read() as tx:
            yield tx

    @contextmanager
    def read_once(self) -> Iterator[Reader]:
        with self._tracing.part("catalogue read", self._attributes), self._inner.read_once() as tx:
            yield tx

    def read_under(self, lock: str, read: Callable[[Reader], T]) -> T:
        with self._tracing.part("catalogue read", self._attributes):
            return self._inner.read_under(lock, read)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        with self._tracing.part("catalogue write", self._attributes), self._inner.write() as tx:
            yield tx

    def create(self) -> None:
        self._inner.create()

    def enable_projections(self) -> None:
        self._inner.enable_projections()

    def find_damage(self) -> Iterator[str]:
        return self._inner.find_damage()

    def check_space(self) -> None:
        self._inner.check_space()

    def held(self) -> tuple[int, int] | None:
        return self._inner.held()

    def hold(self, identity: tuple[int, int] | None) -> None:
        self._inner.hold(identity)

    def close(self) -> None:
        self._inner.close()
