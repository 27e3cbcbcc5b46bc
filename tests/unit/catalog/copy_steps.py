"""Copies that fail: in a process that dies, or because a store or another server is unavailable."""

import multiprocessing
import os
from pathlib import Path
from typing import Any

from storage.errors import Unavailable
from tests.unit.catalogs import CALLER, SECOND_BACKEND, World, open_world

URL = "https://elsewhere.example/x"
"""An uncontrolled URL on another server."""
_DIED = 9


def fail(*_args: object) -> None:
    """Fail as a method of a store that is unavailable."""
    raise Unavailable("the store is unavailable")


def die_in_a_copy(world: World, object_id: str, *, with_bytes: bool = False) -> None:
    """Begin a copy to the second backend in a process that exits before or after it has written the bytes."""
    victim = multiprocessing.get_context("spawn").Process(
        target=_exit_while_copying, args=(world.folder, object_id, with_bytes)
    )
    victim.start()
    victim.join(60)
    assert victim.exitcode == _DIED


def _exit_while_copying(folder: Path, object_id: str, with_bytes: bool) -> None:
    with open_world(folder) as world:
        store = world.stores[SECOND_BACKEND]
        write = store.write

        def write_and_exit(*args: Any) -> None:
            if with_bytes:
                write(*args)
            os._exit(_DIED)

        store.write = write_and_exit  # type: ignore[method-assign, assignment]
        world.catalog.copies.copy(CALLER, object_id, SECOND_BACKEND)
