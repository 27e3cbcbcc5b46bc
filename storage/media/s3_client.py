"""Requests to one bucket through boto3, with time limits, and with errors translated to those of storage.errors."""

import base64
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from storage.errors import NotFound, Unavailable
from storage.media.s3_credentials import CredentialSource
from storage.media.sigv4 import Credentials
from storage.waiting import about_to_wait

_log = logging.getLogger(__name__)

_CONNECTIONS = 64
_PROBE_S = 3

_NO_AWS_CONFIGURATION = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Keeps the configuration of AWS tools, in the home folder and the environment, from influencing requests."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where objects are. endpoint: origin, optionally with a path, through which this server reaches the store.

    public_endpoint: the same for clients, if it differs. prefix: of every key, including a closing slash if wanted.
    virtual_host: the bucket's name is part of the host. ca_file: certificates to trust, for private authorities.
    """

    name: str
    endpoint: str
    region: str
    public_endpoint: str | None = None
    prefix: str = ""
    virtual_host: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits of a request: timeouts in seconds, and the number of attempts."""

    connect_s: float = 5
    read_s: float = 20
    attempts: int = 3


_BRIEF = RequestLimits(_PROBE_S, _PROBE_S, 1)


class RequestRejected(Unavailable):
    """The store rejected the request: access denied, no such bucket, not implemented, ..."""


class PreconditionNotMet(RequestRejected):
    """A condition of the request does not hold: If-Match, If-None-Match, ..."""


class _Response(dict[str, Any]):
    """A response of the store. Reading a member that S3 guarantees but that is missing raises Unavailable."""

    def __init__(self, members: Mapping[str, Any], invalid: Callable[[], Unavailable]) -> None:
        super().__init__(members)
        self._invalid = invalid

    def __missing__(self, name: str) -> Any:
        raise self._invalid()


class Connection:
    """Requests to one bucket, from any thread and, after a fork, any process.

    name: of the store. Error messages name it without details, which are only logged.
    """

    def __init__(self, bucket: Bucket, source: CredentialSource, name: str, limits: RequestLimits) -> None:
        self._bucket = bucket
        self._source = source
        self._name = name
        self._limits = limits
        self._lock = threading.Lock()
        self._clients: dict[RequestLimits, tuple[int, Credentials, Any]] = {}

    def credentials(self) -> Credentials:
        """The current credentials. Raises storage.errors.Unavailable."""
        try:
            return self._source.current()
        except Unavailable as error:
            _log.warning("%s: %s", self._name, error.message)
            raise Unavailable(f"{self._name} is unavailable: it has no credentials") from error

    def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Run an operation of boto3's client on the bucket, and return its response.

        Raises storage.errors.NotFound if the key does not exist, RequestRejected, or Unavailable.
        """
        return self._call(self._limits, operation, arguments)

    def probe(self) -> None:
        """Check with one short request that the bucket exists. Raises storage.errors.Unavailable."""
        self._call(_BRIEF, "head_bucket", {})

    def call_briefly(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """The same as `call`, with a single attempt and a short timeout."""
        return self._call(_BRIEF, operation, arguments)

    def pages(self, operation: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        """The pages of a listing of the bucket. Raises the same as `call`."""
        about_to_wait()
        try:
            paginator = self._client(self._limits).get_paginator(operation)
            for page in paginator.paginate(Bucket=self._bucket.name, **arguments):
                yield self._response(operation, page)
        except ClientError as error:
            raise self._translate(operation, error) from error
        except (BotoCoreError, OSError) as error:
            raise self.outage(operation, error) from error

    def outage(self, operation: str, error: Exception) -> Unavailable:
        """Log the error, and return the exception to raise for a missing, incomplete or invalid response."""
        _log.warning("%s: %s failed: %s", self._name, operation, error)
        return Unavailable(f"{self._name} is unavailable")

    def _response(self, operation: str, members: Mapping[str, Any]) -> _Response:
        return _Response(members, lambda: self.outage(operation, ValueError("this is not a response of S3")))

    def _call(self, limits: RequestLimits, operation: str, arguments: dict[str, Any]) -> _Response:
        about_to_wait()
        try:
            members = getattr(self._client(limits), operation)(Bucket=self._bucket.name, **arguments)
            return self._response(operation, members)
        except ClientError as error:
            raise self._translate(operation, error) from error
        except (BotoCoreError, OSError) as error:
            raise self.outage(operation, error) from error

    def _translate(self, operation: str, error: ClientError) -> NotFound | Unavailable:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code == "NoSuchKey":
            return NotFound("no such key")
        if operation == "head_object" and status == 404:
            # A response to HEAD does not say whether the key or the bucket is missing, and a lost bucket is an outage.
            self.call("head_bucket")
            return NotFound("no such key")
        if status == 412:
            return PreconditionNotMet(f"{self._name} has other bytes than the request requires")
        _log.warning("%s: %s was rejected: %s %s", self._name, operation, status, error)
        kind = RequestRejected if 400 <= status < 500 else Unavailable
        return kind(f"{self._name} is unavailable")

    def _client(self, limits: RequestLimits) -> Any:
        """The client of this process for the current credentials. Making one takes about ten milliseconds."""
        credentials = self.credentials()
        with self._lock:
            made_in, made_with, client = self._clients.get(limits, (0, None, None))
            if made_in != os.getpid() or made_with != credentials:
                client = self._make_client(limits, credentials)
                self._clients[limits] = (os.getpid(), credentials, client)
            return client

    def _make_client(self, limits: RequestLimits, credentials: Credentials) -> Any:
        session = botocore.session.Session(_NO_AWS_CONFIGURATION)
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "virtual" if self._bucket.virtual_host else "path"},
            connect_timeout=limits.connect_s,
            read_timeout=limits.read_s,
            retries={"mode": "standard", "total_max_attempts": limits.attempts},
            max_pool_connections=_CONNECTIONS,
            tcp_keepalive=True,
            # Not every store knows the newer checksums; requests carry Content-MD5 instead.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            use_dualstack_endpoint=False,
            use_fips_endpoint=False,
        )
        client = boto3.Session(botocore_session=session).client(
            "s3",
            region_name=self._bucket.region,
            endpoint_url=self._bucket.endpoint,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.session_token,
            verify=self._bucket.ca_file,
            config=config,
        )
        client.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)
        client.meta.events.register("before-call.s3", _disable_redirects)
        return client


def content_md5(data: bytes | bytearray) -> str:
    """The value of the header Content-MD5."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _disable_redirects(context: dict[str, Any], **_: Any) -> None:
    """Keep botocore from looking for the bucket in other regions: the settings say where it is."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _add_md5(request: Any, **_: Any) -> None:
    """Add Content-MD5 to DeleteObjects, which many stores require."""
    if "Content-MD5" not in request.headers:
        request.headers["Content-MD5"] = content_md5(bytes(request.body))
