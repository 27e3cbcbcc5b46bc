"""Uploads to an S3 store that do not replace bytes: whether the store ensures that, by `If-None-Match: *`."""

import contextlib
import logging
import threading
import time
import uuid

from storage.errors import NotFound, Unavailable
from storage.media.s3_client import Connection, PreconditionNotMet, RequestRejected

_log = logging.getLogger(__name__)

_RETRY_S = 30.0


class WriteOnce:
    """wanted: whether uploads are to have the header if the store honours it, which is tried once with a small object.

    prefix: of every key. name: of the store, for the log.
    """

    def __init__(self, connection: Connection, prefix: str, wanted: bool, name: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._ensured: bool | None = None if wanted else False
        self._name = name
        self._lock = threading.Lock()
        self._next = float("-inf")

    def is_ensured(self) -> bool:
        """Whether uploads are to have the header. Asks the store if that is not known yet."""
        if self._ensured is None:
            with self._lock:
                if self._ensured is None and time.monotonic() >= self._next:
                    self._ensured = self._ask()
                    self._next = time.monotonic() + _RETRY_S
        return bool(self._ensured)

    def _ask(self) -> bool | None:
        """Write a small object twice. Returns whether the store rejects the second; None if it cannot be reached."""
        key = f"{self._prefix}!write-once-{uuid.uuid4().hex}"  # never the key of an object
        try:
            self._connection.call_briefly("put_object", Key=key, Body=b"", IfNoneMatch="*")
        except RequestRejected:
            return self._report(False)
        except (NotFound, Unavailable):
            return None
        try:
            self._connection.call_briefly("put_object", Key=key, Body=b"", IfNoneMatch="*")
        except PreconditionNotMet:
            return self._report(True)
        except RequestRejected:
            return self._report(False)
        except (NotFound, Unavailable):
            return None
        finally:
            with contextlib.suppress(NotFound, Unavailable):
                self._connection.call_briefly("delete_object", Key=key)
        return self._report(False)

    def _report(self, ensured: bool) -> bool:
        if not ensured:
            _log.warning(
                "%s does not honour If-None-Match: until an upload URL expires, it can replace the bytes of an object",
                self._name,
            )
        return ensured
