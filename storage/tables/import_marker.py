"""The marker that an import (storage.tables.transfer) leaves in a catalogue until it is complete.

It says which import it is, and which process is at it: two at once would add each other's rows again. That process
renews the marker while it works. After a minute without that, or if it is seen to be dead, another may resume.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from storage.errors import Contended, Invalid, TamsError
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from storage.tables.transaction import Writer

KEY = "import"
"""Of the marker in the table `service`."""
RENEW_S = 10.0
_DEAD_AFTER_S = 60.0
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Marker:
    """An import that has begun. origin: the folder that it reads. digest: of its manifest; "" if it is not known."""

    origin: str
    digest: str


class Hold:
    """The hold of this process on an import. resumed: whether one that was interrupted is to be resumed."""

    def __init__(self, engine: Engine, marker: Marker, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._marker = marker
        self._clock = clock
        self._holder = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
        self._is_lost = False
        self.resumed = False

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Take hold, and renew it during the block. Raises Invalid if another import is in progress, or unfinished."""
        try:
            with self._engine.write() as tx:
                tx.lock("service")
                self._take(tx)
        except Contended:
            raise Invalid("another import into this catalogue has just begun: wait for its end") from None
        ended = threading.Event()
        thread = threading.Thread(target=self._renew_until, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            ended.set()
            self._let_go()
            raise
        finally:
            ended.set()
            thread.join()

    def check(self) -> None:
        """Raise Invalid if another process has taken over."""
        if self._is_lost:
            raise Invalid("another process has taken over this import, since this one did not respond for a minute")

    def release(self) -> None:
        """Record that the import is complete. Raises Invalid if another process has taken over."""
        with self._engine.write() as tx:
            tx.lock("service")
            self._require_ours(tx)
            tx.delete("service", equals(key=KEY))

    def _let_go(self) -> None:
        """Leave the marker to the next process that repeats the import. If this fails, it is free after a minute."""
        with suppress(TamsError), self._engine.write() as tx:
            tx.lock("service")
            self._require_ours(tx)
            tx.update("service", equals(key=KEY), {"value": asdict(self._marker)})

    def _take(self, tx: Writer) -> None:
        row = tx.get("service", key=KEY)
        if row is None:
            tx.insert("service", [{"key": KEY, "value": self._value()}])
            return
        found = _parse(row["value"])
        if found.digest != self._marker.digest:
            raise Invalid(
                f"the import of {found.origin} into this catalogue was not completed: repeat that one, or begin with"
                " an empty catalogue"
            )
        if self._is_held_by_another(row["value"]):
            raise Invalid(
                f"another import of {found.origin} into this catalogue is in progress: wait for its end, or for a"
                " minute if it has ended"
            )
        self.resumed = True
        tx.update("service", equals(key=KEY), {"value": self._value()})

    def _is_held_by_another(self, value: Any) -> bool:
        if not isinstance(value, dict) or "holder" not in value:
            return False  # an earlier release did not say
        host, pid, _ = value["holder"].split(" ")
        if host == socket.gethostname() and not _is_running(int(pid)):
            return False
        return bool(abs(self._clock() - value["renewed"] / _US) < _DEAD_AFTER_S)

    def _value(self) -> dict[str, Any]:
        renewed = int(self._clock() * _US)
        marker = self._marker
        return {"origin": marker.origin, "digest": marker.digest, "holder": self._holder, "renewed": renewed}

    def _require_ours(self, tx: Writer) -> None:
        row = tx.get("service", key=KEY)
        self._is_lost = row is None or row["value"].get("holder") != self._holder
        self.check()

    def _renew_until(self, ended: threading.Event) -> None:
        while not ended.wait(RENEW_S):
            try:
                with self._engine.write() as tx:
                    self._require_ours(tx)
                    tx.update("service", equals(key=KEY), {"value": self._value()})
            except TamsError:
                if self._is_lost:
                    return
                # An outage; the import itself runs into it, or it is over by the next time.


def find_marker(engine: Engine) -> Marker | None:
    """The import that has begun and is not complete."""
    with engine.read() as tx:
        row = tx.get("service", key=KEY)
    return None if row is None else _parse(row["value"])


def require_complete_import(engine: Engine) -> None:
    """Raise Invalid if an import into this catalogue was interrupted."""
    marker = find_marker(engine)
    if marker is not None:
        raise Invalid(f"the import of {marker.origin} into this catalogue was not completed: repeat it")


def _parse(value: Any) -> Marker:
    # Earlier releases recorded the origin alone.
    return Marker(value["origin"], value["digest"]) if isinstance(value, dict) else Marker(str(value), "")


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
