"""Sources of the credentials of an S3 store. Each notices when its credentials are replaced."""

import configparser
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import botocore.session
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError

from storage.errors import Unavailable
from storage.media.sigv4 import Credentials
from storage.waiting import about_to_wait

_log = logging.getLogger(__name__)

_EXPIRATIONS = ("aws_session_expiration", "x_security_token_expires", "aws_expiration", "expiration")
"""Names under which tools that write files of credentials note when these expire."""
_REREAD_S = 1.0
_RETRY_S = 10.0


class CredentialSource(Protocol):
    """A source of credentials, shared by threads."""

    def current(self) -> Credentials:
        """The credentials to sign with now. Raises storage.errors.Unavailable if there are none."""
        ...


class EnvironmentCredentials:
    """Credentials in the environment variables with these names, read at each use."""

    def __init__(
        self,
        access_key_env: str,
        secret_key_env: str,
        session_token_env: str | None = None,
        expiration_env: str | None = None,
    ) -> None:
        self._names = (access_key_env, secret_key_env)
        self._token_name = session_token_env
        self._expiration_name = expiration_env

    def current(self) -> Credentials:
        values = [os.environ.get(name) for name in self._names]
        if not (values[0] and values[1]):
            missing = [name for name, value in zip(self._names, values, strict=True) if not value]
            raise Unavailable(f"credentials are missing: the environment variable {' and '.join(missing)} is not set")
        token = os.environ.get(self._token_name) if self._token_name else None
        expiration = os.environ.get(self._expiration_name) if self._expiration_name else None
        return Credentials(values[0], values[1], token or None, _unix_time(expiration))


class FileCredentials:
    """Credentials in a file in the format of the AWS tools (INI), which is read again when it changes.

    While it is missing or incomplete, because it is being rewritten for instance, the last credentials stay in use.
    """

    def __init__(self, path: Path, profile: str = "default", clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._profile = profile
        self._clock = clock
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._seen: tuple[int, int, int] | None = None
        self._last: Credentials | None = None

    def current(self) -> Credentials:
        last = self._last
        if last is not None and self._clock() < self._next:
            return last
        about_to_wait()
        with self._lock:
            if self._clock() >= self._next:
                self._next = self._clock() + _REREAD_S
                self._reload()
            if self._last is None:
                self._next = float("-inf")
                raise Unavailable(
                    f"credentials are missing: the file {self._path} has no usable profile {self._profile!r}"
                )
            return self._last

    def _reload(self) -> None:
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            if version != self._seen:
                self._last = self._read()
                self._seen = version
        except (OSError, ValueError, KeyError, configparser.Error) as error:
            _log.warning("credentials file %s cannot be used at the moment: %s", self._path, type(error).__name__)

    def _read(self) -> Credentials:
        parsed = configparser.RawConfigParser()
        parsed.read_string(self._path.read_text(encoding="utf-8"))
        section = parsed[self._profile]
        access_key, secret_key = section["aws_access_key_id"], section["aws_secret_access_key"]
        if not access_key or not secret_key:
            raise ValueError("empty")
        expiration = next((section[name] for name in _EXPIRATIONS if section.get(name)), None)
        return Credentials(access_key, secret_key, section.get("aws_session_token") or None, _unix_time(expiration))


class ChainCredentials:
    """Credentials that botocore finds in its default chain (environment, files, roles of containers and instances).

    If it finds none, the next attempt comes only after some seconds, because looking for a role takes time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Any = None
        self._found_in = 0
        self._next = float("-inf")

    def current(self) -> Credentials:
        found = self._find()
        if isinstance(found, RefreshableCredentials) and found.refresh_needed():
            about_to_wait()
        try:
            frozen = found.get_frozen_credentials()
        except (BotoCoreError, OSError) as error:
            _log.warning("credentials from the default chain cannot be renewed: %s", error)
            raise Unavailable("credentials are missing: those from the default chain cannot be renewed") from error
        expiry = getattr(found, "_expiry_time", None)  # only temporary credentials have one
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token, expiry.timestamp() if expiry else None)

    def _find(self) -> Any:
        if self._found is None or self._found_in != os.getpid():
            about_to_wait()
        with self._lock:
            if self._found_in != os.getpid():
                self._found, self._found_in, self._next = None, os.getpid(), float("-inf")
            if self._found is None and self._clock() >= self._next:
                try:
                    self._found = botocore.session.Session().get_credentials()
                except (BotoCoreError, OSError) as error:
                    _log.warning("the default chain found no credentials: %s", error)
                self._next = self._clock() + _RETRY_S
            if self._found is None:
                raise Unavailable("credentials are missing: the default chain has none")
            return self._found


def _unix_time(text: str | None) -> float | None:
    """The Unix time of an ISO 8601 date and time; None if there is none, or if it is not one."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        _log.warning("the expiry of credentials is not a date and time in ISO 8601 and is ignored")
        return None
    return None if moment is None else (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
