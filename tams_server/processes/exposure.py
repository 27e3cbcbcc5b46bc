"""Who can reach a server, and what the settings permit them: checked before it starts."""

import logging
import socket
from typing import Any

from tams_server.addresses import is_loopback
from tams_server.settings import Settings, SettingsError

_log = logging.getLogger(__name__)


def check_exposure(settings: Settings, bound: socket.socket) -> None:
    """Check where the server listens. Logs a warning if credentials would cross the network in clear text.

    Raises SettingsError if requests without credentials are permitted, and other machines could send them.
    """
    address = _address(bound.getsockname())
    reachable = not is_loopback(address)
    if settings.auth == "off":
        if reachable:
            raise SettingsError(
                [
                    f"TAMS_AUTH: must be on, as the server listens on {address}, where other machines reach it; with"
                    " TAMS_AUTH=off, TAMS_HOST must be 127.0.0.1, ::1 or localhost"
                ]
            )
        _log.warning("TAMS_AUTH is off: every program on this machine may do everything without a credential")
    elif reachable and settings.tls_cert is None and not settings.trust_proxy:
        _log.warning(
            "listening on %s without TLS and without a trusted proxy: credentials and media cross the network in clear"
            " text; set TAMS_TLS_CERT and TAMS_TLS_KEY, or put a proxy in front and set TAMS_TRUST_PROXY",
            address,
        )


def _address(name: Any) -> str:
    """The IP address in the name of a socket."""
    host: str = name[0]
    return host.partition("%")[0]
