"""The background worker: does, time and again, the work of the catalogue that nobody waits for."""

import logging
import threading

from storage.catalog import Catalog
from storage.errors import Unavailable

_log = logging.getLogger(__name__)


def run_worker(catalog: Catalog, stop_event: threading.Event, *, interval_s: float = 1.0) -> None:
    """Sweep until `stop_event` is set, without a pause while there is work, else every `interval_s` seconds.

    A failure is logged and the work tried again, since what is not done stays recorded as to be done.
    """
    while not stop_event.is_set():
        worked = False
        try:
            worked = catalog.sweep()
        except Unavailable as error:
            _log.warning("background work has to wait: %s", error)
        except Exception:
            _log.exception("background work failed")
        if not worked:
            stop_event.wait(interval_s)
