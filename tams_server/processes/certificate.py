"""The certificate of a server that speaks TLS itself."""

import logging
import os
import ssl
import stat
from pathlib import Path

from tams_server.settings import Settings, SettingsError

_log = logging.getLogger(__name__)


class ServerCertificate:
    """A certificate with its key, loaded. Processes that are forked later have what was loaded last.

    Raises SettingsError if the files cannot be used, or if others may read the key.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self.context = self._load()

    def reload(self) -> None:
        """Load the files again. If they cannot be used, log that and keep the present certificate."""
        try:
            self.context = self._load()
        except SettingsError as error:
            _log.error("the certificate is not replaced: %s", "; ".join(error.errors))
        else:
            _log.info("loaded the certificate %s", self._certificate)

    def _load(self) -> ssl.SSLContext:
        try:
            _check_mode(self._key)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_alpn_protocols(["http/1.1"])
            # Without the callable, a key that has a password would be asked for at the terminal.
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (OSError, ValueError) as error:
            raise SettingsError([f"TAMS_TLS_CERT, TAMS_TLS_KEY: {error}"]) from error
        return context


def read_certificate(settings: Settings) -> ServerCertificate | None:
    """Return the certificate in the settings, if there is one. Raises SettingsError."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return ServerCertificate(settings.tls_cert, settings.tls_key)


def _check_mode(key: Path) -> None:
    mode = stat.S_IMODE(os.stat(key).st_mode)
    if mode & 0o027:
        raise ValueError(f"{key} has the mode {mode:04o}: only its owner may write it, and others must not read it")


def _no_password() -> str:
    raise ValueError("the key must not have a password")
