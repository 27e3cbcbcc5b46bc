"""Talks to one bucket through boto3: clients made for it alone, bounded in time, and errors in the words of storage."""

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

_log = logging.getLogger(__name__)

_CONNECTIONS = 64
_PROBE_S = 3

_NO_SURROUNDINGS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Nothing that AWS tools keep in the home folder or the environment is to change where requests go, or break them."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where objects are. endpoint: origin, with a path where there is one, by which this server reaches the store.

    public_endpoint: the same for clients, if it differs. prefix: stands before every key, with its own slash if it is
    to have one. virtual_host: the bucket's name is part of the host. ca_file: certificates to trust, for private ones.
    """

    name: str
    endpoint: str
    region: str
    public_endpoint: str | None = None
    prefix: str = ""
    virtual_host: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request may take, in seconds, and how often it is tried."""

    connect_s: float = 5
    read_s: float = 20
    attempts: int = 3


class Refused(Unavailable):
    """The store answered, and does not do what it was asked: denied, no such bucket, not implemented, ..."""


class _Answer(dict[str, Any]):
    """What the store answered. A member that S3 promises and that is not there makes it no answer of S3."""

    def __init__(self, members: Mapping[str, Any], no_answer: Callable[[], Unavailable]) -> None:
        super().__init__(members)
        self._no_answer = no_answer

    def __missing__(self, name: str) -> Any:
        raise self._no_answer()


class Connection:
    """Requests to one bucket, from any thread and, after a fork, any process.

    name: of the store, for messages; these tell clients no more than that, the log has the details.
    """

    def __init__(self, bucket: Bucket, source: CredentialSource, name: str, patience: Patience) -> None:
        self._bucket = bucket
        self._source = source
        self._name = name
        self._patience = patience
        self._lock = threading.Lock()
        self._clients: dict[Patience, tuple[int, Credentials, Any]] = {}

    def credentials(self) -> Credentials:
        """Those in force. Raises storage.errors.Unavailable."""
        try:
            return self._source.current()
        except Unavailable as error:
            _log.warning("%s: %s", self._name, error.message)
            raise Unavailable(f"{self._name} is unavailable: it has no credentials") from error

    def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """The answer to an operation of boto3's client on the bucket.

        Raises storage.errors.NotFound where the key is not there, Refused, or Unavailable.
        """
        return self._call(self._patience, operation, arguments)

    def probe(self) -> None:
        """Ask once, without much patience, whether the bucket is there. Raises storage.errors.Unavailable."""
        self._call(Patience(_PROBE_S, _PROBE_S, 1), "head_bucket", {})

    def pages(self, operation: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        """The pages of a listing of the bucket. Raises as `call`."""
        try:
            paginator = self._client(self._patience).get_paginator(operation)
            for page in paginator.paginate(Bucket=self._bucket.name, **arguments):
                yield self._answer(operation, page)
        except ClientError as error:
            raise self._refusal(operation, error) from error
        except (BotoCoreError, OSError) as error:
            raise self.outage(operation, error) from error

    def outage(self, operation: str, error: Exception) -> Unavailable:
        """What to raise when there is no answer, or half of one."""
        _log.warning("%s: %s failed: %s", self._name, operation, error)
        return Unavailable(f"{self._name} is unavailable")

    def _answer(self, operation: str, members: Mapping[str, Any]) -> _Answer:
        return _Answer(members, lambda: self.outage(operation, ValueError("this is no answer of S3")))

    def _call(self, patience: Patience, operation: str, arguments: dict[str, Any]) -> _Answer:
        try:
            members = getattr(self._client(patience), operation)(Bucket=self._bucket.name, **arguments)
            return self._answer(operation, members)
        except ClientError as error:
            raise self._refusal(operation, error) from error
        except (BotoCoreError, OSError) as error:
            raise self.outage(operation, error) from error

    def _refusal(self, operation: str, error: ClientError) -> NotFound | Unavailable:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code == "NoSuchKey":
            return NotFound("no such key")
        if operation == "head_object" and status == 404:
            # An answer to HEAD does not say what is missing; a lost bucket must not look like an empty one.
            self.call("head_bucket")
            return NotFound("no such key")
        _log.warning("%s: %s was refused: %s %s", self._name, operation, status, error)
        kind = Refused if 400 <= status < 500 else Unavailable
        return kind(f"{self._name} is unavailable")

    def _client(self, patience: Patience) -> Any:
        """A client of this process and these credentials. Making one takes some ten milliseconds."""
        credentials = self.credentials()
        with self._lock:
            made_in, made_with, client = self._clients.get(patience, (0, None, None))
            if made_in != os.getpid() or made_with != credentials:
                client = self._make(patience, credentials)
                self._clients[patience] = (os.getpid(), credentials, client)
            return client

    def _make(self, patience: Patience, credentials: Credentials) -> Any:
        session = botocore.session.Session(_NO_SURROUNDINGS)
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "virtual" if self._bucket.virtual_host else "path"},
            connect_timeout=patience.connect_s,
            read_timeout=patience.read_s,
            retries={"mode": "standard", "total_max_attempts": patience.attempts},
            max_pool_connections=_CONNECTIONS,
            tcp_keepalive=True,
            # Newer checksums are not known to every store; what is sent carries Content-MD5 instead.
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
        client.meta.events.register("before-call.s3", _stay_here)
        return client


def content_md5(data: bytes) -> str:
    """The value of Content-MD5."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _stay_here(context: dict[str, Any], **_: Any) -> None:
    """Keep botocore from looking for the bucket elsewhere: where it is, the settings say."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _add_md5(request: Any, **_: Any) -> None:
    """The first stores of S3 asked for it with DeleteObjects, and many still do."""
    if "Content-MD5" not in request.headers:
        request.headers["Content-MD5"] = content_md5(bytes(request.body))
