"""Starts what `--store` and `--media` name, once for all workers of a run, and ends it with the run."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import pytest

from tests.servers.stores import CATALOGUES, MEDIA, Stores, running

_KEY = pytest.StashKey[Stores]()
_FEW = 3
"""So many cases of a test are never left out."""


def add_options(group: pytest.OptionGroup) -> None:
    own = "of the project's own server"
    group.addoption("--store", choices=CATALOGUES, default=CATALOGUES[0], help=f"what the catalogue {own} is kept in")
    group.addoption(
        "--every", type=int, default=1, metavar="N", help="of a test of the kit with many cases, run one case in N"
    )
    group.addoption("--media", choices=MEDIA, default=MEDIA[0], help=f"what the media {own} are kept in")


def thin_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out cases of tests that have many, as `--every` says; the same ones in each process."""
    every, names = config.getoption("--every"), [item.nodeid.partition("[")[0] for item in items]
    total, seen, left_out = Counter(names), Counter[str](), []
    for item, name in zip(list(items), names, strict=True):
        if total[name] > _FEW and seen[name] % every:
            items.remove(item)
            left_out.append(item)
        seen[name] += 1
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def stores_of(config: pytest.Config) -> Stores:
    """What runs for the servers under test."""
    handed: dict[str, str] | None = getattr(config, "workerinput", {}).get("stores")
    return config.stash.get(_KEY, Stores()) if handed is None else Stores(**handed)


class StoresPlugin:
    """For the process that leads a run: its workers start and end at different times."""

    def __init__(self, catalogue: str, media: str) -> None:
        self._kinds = catalogue, media
        self._running = ExitStack()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if not session.config.option.collectonly:
            session.config.stash[_KEY] = self._running.enter_context(running(*self._kinds))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["stores"] = asdict(stores_of(node.config))

    def pytest_unconfigure(self) -> None:
        self._running.close()
