"""What the audit log says of requests: changes with what they changed, failed logins, and reads if the settings say so.

Neither queries nor headers nor bodies are recorded, so that no secret can be.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.types import Scope

from tams_server.audit_log import AuditLog
from tams_server.auth.presented_credential import InvalidCredential
from tams_server.errors import TooManyRequests
from tams_server.http.client_address import exact_address
from tams_server.http.exchange import Exchange
from tams_server.settings import Settings

_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))


class RequestAudit:
    """on_failure: called for each line that could not be written."""

    def __init__(self, settings: Settings, on_failure: Callable[[], None] | None = None) -> None:
        refuse = settings.audit_failure == "refuse"
        self._log = AuditLog(settings.audit_log, refuse_changes=refuse, on_failure=on_failure)
        self._trust_proxy = settings.trust_proxy
        self._reads = settings.audit_reads
        self.is_on = self._log.is_on

    def begin(self, scope: Scope, exchange: Exchange) -> None:
        """Record that a change begins, where the settings require it. Raises storage.errors.Unavailable."""
        if self._log.refuses_changes and scope["method"] not in _SAFE:
            self._log.begin(self._fields(scope, exchange))

    def finish(self, scope: Scope, exchange: Exchange, status: int, notes: Mapping[str, Any]) -> None:
        """Record a request that has ended. notes: what storage.change_notes collected."""
        if exchange.failed_login is not None:
            self._log.write(
                "login_failed", self._fields(scope, exchange) | dict(exchange.failed_login) | {"status": status}
            )
        elif self._is_recorded(scope, exchange):
            changed = {"changes": dict(notes)} if notes else {}
            self._log.write("request", self._fields(scope, exchange) | {"status": status} | changed)

    def _is_recorded(self, scope: Scope, exchange: Exchange) -> bool:
        known = exchange.operation is not None or exchange.label != "none"
        return known and (scope["method"] not in _SAFE or (self._reads and exchange.operation is not None))

    def _fields(self, scope: Scope, exchange: Exchange) -> dict[str, Any]:
        return {
            "principal": exchange.caller.name if exchange.caller else None,
            "credential": exchange.credential_kind,
            "address": exact_address(scope, trust_proxy=self._trust_proxy),
            "request_id": exchange.request_id,
            "operation": exchange.label,
            "method": scope["method"],
            "resource": exchange.raw_path,
        }


def failed_login(error: Exception, user: str = "") -> dict[str, str | None] | None:
    """Return what to record of an error of authentication; None if it is no failed login.

    user: whom the credential names, if it says so.
    """
    if isinstance(error, InvalidCredential):
        claimed = {"issuer": error.issuer} if error.issuer else {}
        return {"principal": error.principal or user or None, "reason": error.reason, **claimed}
    if isinstance(error, TooManyRequests):
        return {"principal": user, "reason": "back-off"}
    return None
