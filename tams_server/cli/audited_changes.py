"""What the audit log says of changes that commands make."""

import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tams_server.audit_log import AuditLog
from tams_server.settings import Settings


@contextmanager
def audited(settings: Settings, what: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Record the change that the block makes in the audit log. Yields a dictionary for `before` and `after`.

    what: the action, the kind of what is changed, and its name if it has one.
    Raises Unavailable if the settings say that nothing may change without it.
    """
    log = AuditLog(settings.audit_log, refuse_changes=settings.audit_failure == "refuse")
    change: dict[str, Any] = {}
    record = {"principal": f"cli:{_user()}", "address": "local", **what}
    try:
        log.begin(record)
        yield change
        log.write("credential", record | change)
    finally:
        log.close()


def _user() -> str:
    """Return the name of the user of the system, or its number: in containers it often has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError: from Python 3.13 on
        return f"uid {os.getuid()}"
