"""The logging of the process, which commands of the server change."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_OPTIONS = ("logThreads", "logMultiprocessing", "_srcfile")


@contextmanager
def kept_logging() -> Iterator[None]:
    """Undo after the block what it changes: handlers of the root logger, levels of all loggers, global options."""
    root = logging.getLogger()
    handlers, options = root.handlers[:], {name: getattr(logging, name) for name in _OPTIONS}
    levels = {logger: logger.level for logger in _loggers()}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for logger in _loggers():
            logger.setLevel(levels.get(logger, logging.NOTSET))
        for name, value in options.items():
            setattr(logging, name, value)


def _loggers() -> list[logging.Logger]:
    named = logging.Logger.manager.loggerDict.values()
    return [logging.getLogger(), *(logger for logger in named if isinstance(logger, logging.Logger))]
