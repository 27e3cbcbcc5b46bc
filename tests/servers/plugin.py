"""A pytest plugin that runs the stores for `--store` and `--media`, once for all workers of a run."""

import os
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import pytest

from tests.servers.features import FEATURES, VARIABLE
from tests.servers.stores import CATALOGUES, MEDIA, Stores, running

_KEY = pytest.StashKey[Stores]()
_MIN_CASES = 3
"""A test with at most so many cases always runs them all."""


def add_options(group: pytest.OptionGroup) -> None:
    group.addoption(
        "--store", choices=CATALOGUES, default=CATALOGUES[0], help="where the project's own server keeps its catalogue"
    )
    group.addoption(
        "--every", type=int, default=1, metavar="N", help="run one case in N of each conformance test with many cases"
    )
    group.addoption(
        "--features",
        choices=FEATURES,
        default=os.environ.get(VARIABLE, FEATURES[0]),
        help=f"what the project's own servers do beyond the standard; {VARIABLE} sets the default",
    )
    group.addoption("--media", choices=MEDIA, default=MEDIA[0], help="where the project's own server keeps its media")


def deselect_cases(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect cases of tests that have many, as `--every` says; the same ones in each process."""
    every, names = config.getoption("--every"), [item.nodeid.partition("[")[0] for item in items]
    total, seen, deselected = Counter(names), Counter[str](), []
    for item, name in zip(list(items), names, strict=True):
        if total[name] > _MIN_CASES and seen[name] % every:
            items.remove(item)
            deselected.append(item)
        seen[name] += 1
    if deselected:
        config.hook.pytest_deselected(items=deselected)


def running_stores(config: pytest.Config) -> Stores:
    """The stores that were started for the servers under test."""
    from_controller: dict[str, str] | None = getattr(config, "workerinput", {}).get("stores")
    return config.stash.get(_KEY, Stores()) if from_controller is None else Stores(**from_controller)


class StoresPlugin:
    """For the controlling process of a run, as workers start and end at different times."""

    def __init__(self, catalogue: str, media: str) -> None:
        self._kinds = catalogue, media
        self._running = ExitStack()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if not session.config.option.collectonly:
            session.config.stash[_KEY] = self._running.enter_context(running(*self._kinds))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["stores"] = asdict(running_stores(node.config))

    def pytest_unconfigure(self) -> None:
        self._running.close()
