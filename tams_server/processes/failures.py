"""How failures of background work are logged."""

import logging

from storage.catalog.jobs import LeaseLost
from storage.errors import Contended, Invalid, NotFound, Unavailable

_log = logging.getLogger(__name__)


def log_failure(work: str, error: Exception) -> str:
    """Log why background work failed, and return the reason for the job's record.

    work: what failed, as the subject of a sentence. Contention with other writers is normal and not logged.
    """
    if isinstance(error, LeaseLost):
        _log.warning("%s was taken over by another worker", work)
    elif isinstance(error, Contended):
        return error.message
    elif isinstance(error, Unavailable):
        _log.warning("%s is delayed: %s", work, error)
        return error.message
    elif isinstance(error, (Invalid, NotFound)):
        _log.warning("%s cannot be done: %s", work, error)
        return error.message
    else:
        _log.error("%s failed", work, exc_info=error)
    return f"{type(error).__name__}: see the log"
