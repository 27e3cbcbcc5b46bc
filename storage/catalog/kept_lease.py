"""The lease of a job that a request works on itself. Workers renew the leases of their jobs in another way."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from storage.catalog.jobs import Claim, Jobs, LeaseLost
from storage.errors import Unavailable

_log = logging.getLogger(__name__)

_RENEWALS_PER_LEASE = 4


@contextmanager
def kept_lease(jobs: Jobs, claim: Claim) -> Iterator[None]:
    """Renew the lease in a thread until the block ends, so that a single step may take longer than the lease.

    The next step of the job notices if the lease has been lost all the same.
    """
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(jobs.lease_s / _RENEWALS_PER_LEASE):
            try:
                jobs.renew(claim)
            except LeaseLost:
                return
            except Unavailable as error:
                _log.warning("the lease of %s %s could not be renewed: %s", claim.kind, claim.key, error.message)

    thread = threading.Thread(target=renew, name="kept-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
